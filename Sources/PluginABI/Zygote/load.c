/* load.c - the way of a plugin into the process: file, loader, entry, descriptor, init, prefork. */
#include "load.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "descriptor.h"
#include "elf_image.h"
#include "host_table.h"

static bool refuse(load_refusal *refusal, uint32_t reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool refuse(load_refusal *refusal, uint32_t reason, const char *format, ...) {
    refusal->reason = reason;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(refusal->message, sizeof refusal->message, format, arguments);
    va_end(arguments);
    return false;
}

static bool check_file(const char *path, uint64_t bytes, elf_image *image, load_refusal *refusal) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return refuse(refusal, PAWL_REFUSED_OPEN, "cannot open the image: %s", strerror(errno));
    struct stat status;
    bool fine = false;
    if (fstat(fd, &status) != 0) refuse(refusal, PAWL_REFUSED_OPEN, "cannot stat the image: %s", strerror(errno));
    else if (!S_ISREG(status.st_mode)) refuse(refusal, PAWL_REFUSED_OPEN, "the image is no regular file");
    else if (bytes != 0 && (uint64_t)status.st_size != bytes)
        refuse(refusal, PAWL_REFUSED_OPEN, "the image has %llu bytes, not the %llu on record",
               (unsigned long long)status.st_size, (unsigned long long)bytes);
    else {
        const char *fault = elf_check(fd, (uint64_t)status.st_size, image);
        fine = fault == NULL || refuse(refusal, PAWL_REFUSED_ELF, "%s", fault);
    }
    close(fd);
    return fine;
}

/* Ends a sentence with what the plugin said by log() with a NULL attempt, if anything. */
static bool refuse_in_its_words(load_refusal *refusal, uint32_t reason, const char *what) {
    const char *words = host_table_last_words();
    if (words[0] == 0) return refuse(refusal, reason, "%s", what);
    return refuse(refusal, reason, "%s: %s", what, words);
}

bool load_plugin(const char *path, uint64_t bytes, loaded_plugin *loaded, load_refusal *refusal) {
    elf_image image;
    memset(loaded, 0, sizeof *loaded);
    if (!check_file(path, bytes, &image, refusal)) return false;

    uint64_t start = monotonic_ns();
    loaded->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (loaded->library == NULL) {
        const char *words = dlerror();
        return refuse(refusal, PAWL_REFUSED_DLOPEN, "the loader refused it: %s",
                      words != NULL ? words : "no reason given");
    }
    typedef const pawl_plugin *entry_function(const pawl_host *, uint32_t, uint32_t, uint32_t);
    entry_function *entry;
    void *symbol = dlsym(loaded->library, "pawl_plugin_entry");
    if (symbol == NULL) return refuse(refusal, PAWL_REFUSED_ENTRY, "no plugin: it exports no pawl_plugin_entry");
    memcpy(&entry, &symbol, sizeof entry); /* ISO C has no cast from a data to a function pointer */

    const pawl_plugin *descriptor = entry(&host_table, PAWL_ABI_MAJOR, PAWL_ABI_MINOR, sizeof(pawl_host));
    if (descriptor == NULL) return refuse_in_its_words(refusal, PAWL_REFUSED_ENTRY, "pawl_plugin_entry returned NULL");
    char fault[DESCRIPTOR_FAULT_MAX];
    uint32_t reason = descriptor_check(descriptor, &image, loaded, fault);
    if (reason != 0) return refuse(refusal, reason, "%s", fault);

    if (loaded->plugin.init != NULL) {
        int32_t status = loaded->plugin.init(&host_table);
        char what[64];
        snprintf(what, sizeof what, "init failed with status %d", status);
        if (status != PAWL_OK) return refuse_in_its_words(refusal, PAWL_REFUSED_INIT, what);
    }
    if (loaded->plugin.prefork != NULL) {
        int32_t status = loaded->plugin.prefork();
        char what[64];
        snprintf(what, sizeof what, "prefork failed with status %d", status);
        if (status != PAWL_OK) return refuse_in_its_words(refusal, PAWL_REFUSED_INIT, what);
    }
    const pawl_ext_cancel *cancel = NULL;
    if (loaded->plugin.get_extension != NULL) cancel = loaded->plugin.get_extension(PAWL_EXT_CANCEL);
    if (cancel != NULL && cancel->struct_size >= sizeof *cancel) loaded->cancelled = cancel->cancelled;
    loaded->load_ns = monotonic_ns() - start;
    return true;
}
