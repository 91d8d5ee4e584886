/* library.c - see library.h. The cache is read as ldconfig of glibc 2.32 and later writes it; an older one is passed over. */
#include "library.h"

#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CACHE_MAX (64 << 20)

static const char magic[] = "glibc-ld.so.cache1.1";

typedef struct {
    int32_t flags;
    uint32_t key, value; /* offsets of the name and the path from the beginning */
    uint32_t os_version;
    uint64_t hwcap;
} cache_entry;

typedef struct {
    char magic[20];
    uint32_t count, strings_size;
    uint8_t flags, padding[3];
    uint32_t extensions, unused[3];
} cache_header;

static bool is_of_this_machine(const char *path) {
    Elf64_Ehdr header;
    /* Opening a pipe or a device could wait for ever. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return false;
    struct stat status;
    bool fits = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && pread(fd, &header, sizeof header, 0) == sizeof header
                && memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 && header.e_ident[EI_CLASS] == ELFCLASS64;
#if defined(__x86_64__)
    fits = fits && header.e_machine == EM_X86_64;
#elif defined(__aarch64__)
    fits = fits && header.e_machine == EM_AARCH64;
#elif defined(__riscv)
    fits = fits && header.e_machine == EM_RISCV;
#endif
    close(fd);
    return fits;
}

static bool try(const char *directory, size_t length, const char *name, char path[PATH_MAX]) {
    int written = snprintf(path, PATH_MAX, "%.*s/%s", (int)length, directory, name);
    return written > 0 && written < PATH_MAX && is_of_this_machine(path);
}

static bool in_list(const char *list, const char *name, char path[PATH_MAX]) {
    while (list != NULL && *list != 0) {
        size_t length = strcspn(list, ":;");
        if (length > 0 && list[0] == '/' && try(list, length, name, path)) return true;
        list += length + (list[length] != 0);
    }
    return false;
}

/* The text at an offset; NULL unless it ends within the cache. */
static const char *text_at(const char *bytes, size_t size, uint32_t offset) {
    return offset < size && memchr(bytes + offset, 0, size - offset) != NULL ? bytes + offset : NULL;
}

static bool in_cache_bytes(const char *bytes, size_t size, const char *name, char path[PATH_MAX]) {
    cache_header header;
    if (size < sizeof header) return false;
    memcpy(&header, bytes, sizeof header);
    if (memcmp(header.magic, magic, sizeof header.magic) != 0
        || header.count > (size - sizeof header) / sizeof(cache_entry))
        return false;
    for (uint32_t i = 0; i < header.count; i++) {
        cache_entry entry;
        memcpy(&entry, bytes + sizeof header + i * sizeof entry, sizeof entry);
        const char *key = text_at(bytes, size, entry.key), *value = text_at(bytes, size, entry.value);
        /* Variants for newer processors declare the same functions. */
        if (key == NULL || value == NULL || entry.hwcap != 0 || strcmp(key, name) != 0 || strlen(value) >= PATH_MAX) continue;
        if (!is_of_this_machine(value)) continue;
        strcpy(path, value);
        return true;
    }
    return false;
}

static bool in_cache(const char *name, char path[PATH_MAX]) {
    int fd = open("/etc/ld.so.cache", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    struct stat status;
    bool found = false;
    if (fstat(fd, &status) == 0 && status.st_size > 0 && status.st_size <= CACHE_MAX) {
        size_t size = (size_t)status.st_size;
        char *bytes = malloc(size);
        if (bytes != NULL && pread(fd, bytes, size, 0) == (ssize_t)size) found = in_cache_bytes(bytes, size, name, path);
        free(bytes);
    }
    close(fd);
    return found;
}

int library_path(const char *name, char path[PATH_MAX]) {
    static const char built_in[] =
#if defined(__x86_64__)
        "/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu:"
#elif defined(__aarch64__)
        "/lib/aarch64-linux-gnu:/usr/lib/aarch64-linux-gnu:"
#elif defined(__riscv)
        "/lib/riscv64-linux-gnu:/usr/lib/riscv64-linux-gnu:"
#endif
        "/lib64:/usr/lib64:/lib:/usr/lib";
    if (name[0] == '/') {
        if (strlen(name) >= PATH_MAX || !is_of_this_machine(name)) return -1;
        strcpy(path, name);
        return 0;
    }
    if (strchr(name, '/') != NULL) return -1;
    return in_list(getenv("LD_LIBRARY_PATH"), name, path) || in_cache(name, path) || in_list(built_in, name, path) ? 0 : -1;
}
