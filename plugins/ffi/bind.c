/* bind.c - the library of a manifest, in the process that is going to call it. */
#include "manifest.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <string.h>

/* A function of the library, or NULL and *error. */
static void (*find(arena *memory, void *library, const manifest *manifest, const char *symbol, const char **error))(void)
{
    text words = {.memory = memory};
    dlerror();
    void *address = dlsym(library, symbol);
    if (address == NULL) {
        const char *reason = dlerror();
        text_format(&words, "%s has no function \"%s\"", manifest->library, symbol);
        if (reason != NULL) {
            text_format(&words, " (%s)", reason);
        }
        *error = words.bytes;
        return NULL;
    }
    /* A variable would be called as if it were code. What an IFUNC resolved to need not be in the symbol table, so only a
     * symbol of exactly this address says something. */
    Dl_info info;
    void *extra = NULL;
    if (dladdr1(address, &info, &extra, RTLD_DL_SYMENT) != 0 && info.dli_saddr == address && extra != NULL
        && ELF64_ST_TYPE(((const ElfW(Sym) *)extra)->st_info) == STT_OBJECT) {
        text_format(&words, "\"%s\" of %s is a variable, not a function", symbol, manifest->library);
        *error = words.bytes;
        return NULL;
    }
    void (*code)(void);
    memcpy(&code, &address, sizeof(code)); /* ISO C has no cast from data to code; POSIX promises that they fit. */
    return code;
}

const char *manifest_bind(arena *memory, manifest *manifest)
{
    const char *error = NULL;
    void *library = dlopen(manifest->library, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        const char *reason = dlerror();
        text words = {.memory = memory};
        text_format(&words, "cannot load the library \"%s\": %s", manifest->library, reason == NULL ? "?" : reason);
        return words.bytes;
    }
    for (unsigned i = 0; i < manifest->function_count && error == NULL; i++) {
        function *function = &manifest->functions[i];
        function->address = find(memory, library, manifest, function->symbol, &error);
        if (error == NULL && function->free_symbol != NULL) {
            function->free_address = find(memory, library, manifest, function->free_symbol, &error);
        }
    }
    return error;
}
