/* symbolize.c - names places in files: lines `path TAB build-id or - TAB file offset in hexadecimal` come in on standard
 * input, one list of lists of frames goes out. */
#include "symbolize.h"

#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "output.h"
#include "places.h"

#define MODULES_MAX 256

typedef struct {
    char *path;
    Dwfl *dwfl;
    Dwfl_Module *module; /* NULL: it cannot be read */
    char build_id[65];
} known_module;

static known_module known[MODULES_MAX];
static size_t known_count;

static char *debug_path;
static const Dwfl_Callbacks offline = {
    .find_elf = dwfl_build_id_find_elf,
    .find_debuginfo = dwfl_standard_find_debuginfo,
    .section_address = dwfl_offline_section_address,
    .debuginfo_path = &debug_path,
};

static known_module *find_module(const char *path) {
    for (size_t i = 0; i < known_count; i++)
        if (strcmp(known[i].path, path) == 0) return &known[i];
    if (known_count == MODULES_MAX) return NULL;
    known_module *new = &known[known_count];
    struct stat status;
    new->path = strdup(path);
    if (new->path == NULL) return NULL;
    known_count++;
    /* Opening a pipe or a device could wait for ever. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return new;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        close(fd);
        return new;
    }
    new->dwfl = dwfl_begin(&offline);
    if (new->dwfl == NULL) {
        close(fd);
        return new;
    }
    new->module = dwfl_report_offline(new->dwfl, path, path, fd); /* takes the descriptor, if it succeeds */
    dwfl_report_end(new->dwfl, NULL, NULL);
    if (new->module == NULL) close(fd);
    else places_build_id(new->module, new->build_id);
    return new;
}

/* The address that a place in the file is loaded at, biased; 0 if it is in no loaded segment. */
static Dwarf_Addr loaded_at(Dwfl_Module *module, uint64_t offset) {
    GElf_Addr bias;
    size_t count;
    Elf *elf = dwfl_module_getelf(module, &bias);
    if (elf == NULL || elf_getphdrnum(elf, &count) != 0) return 0;
    for (size_t i = 0; i < count; i++) {
        GElf_Phdr header;
        if (gelf_getphdr(elf, (int)i, &header) == NULL || header.p_type != PT_LOAD) continue;
        if (offset >= header.p_offset && offset - header.p_offset < header.p_filesz)
            return offset - header.p_offset + header.p_vaddr + bias;
    }
    return 0;
}

static void nothing(void *context) { (void)context; }

static void empty(const char *problem) {
    out_open(NULL, '{');
    out_text("problem", problem);
    out_close('}');
}

static void name_place(const char *path, const char *build_id, uint64_t offset) {
    known_module *module = find_module(path);
    Dwarf_Addr address;
    if (module == NULL || module->module == NULL) empty("the file cannot be read");
    else if (strcmp(build_id, "-") != 0 && module->build_id[0] != 0 && strcmp(build_id, module->build_id) != 0)
        empty("build id differs");
    else if ((address = loaded_at(module->module, offset)) == 0) empty("no loaded part of the file has this offset");
    else places_write(module->module, address, nothing, NULL);
}

int symbolize(void) {
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    out_open(NULL, '{');
    out_open("places", '[');
    while ((length = getline(&line, &capacity, stdin)) > 0) {
        if (line[length - 1] == '\n') line[length - 1] = 0;
        char *build_id = strchr(line, '\t'), *offset = build_id == NULL ? NULL : strchr(build_id + 1, '\t'), *end;
        out_open(NULL, '[');
        if (offset == NULL) empty("the request's line has too few fields");
        else {
            *build_id++ = 0;
            *offset++ = 0;
            uint64_t number = strtoull(offset, &end, 16);
            if (end == offset || *end != 0) empty("the request's offset is no number");
            else name_place(line, build_id, number);
        }
        out_close(']');
    }
    out_close(']');
    out_open("modules", '{');
    for (size_t i = 0; i < known_count; i++) {
        if (known[i].build_id[0] == 0) continue;
        /* Paths are texts: the key goes through the same repair as they do. */
        out_text(NULL, known[i].path);
        putchar(':');
        printf("\"%s\"", known[i].build_id);
    }
    out_close('}');
    out_close('}');
    putchar('\n');
    for (size_t i = 0; i < known_count; i++) {
        if (known[i].dwfl != NULL) dwfl_end(known[i].dwfl);
        free(known[i].path);
    }
    free(line);
    return fflush(stdout) == 0 ? 0 : 74;
}
