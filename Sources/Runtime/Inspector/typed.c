/* typed.c - see typed.h. */
#include "typed.h"

#include "compare.h"
#include "library.h"
#include "output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define MANIFEST_MAX 60000
#define SECONDS_MAX 20
#define MEMORY_MAX (UINT64_C(4) << 30)

static void bound(int what, rlim_t limit) {
    struct rlimit now;
    if (getrlimit(what, &now) != 0) return;
    if (now.rlim_max != RLIM_INFINITY && now.rlim_max < limit) limit = now.rlim_max;
    now.rlim_cur = limit;
    setrlimit(what, &now);
}

/* Debug information of a hostile library may ask for any amount of work. It is looked for on this machine only. */
static void bound_self(void) {
    bound(RLIMIT_CPU, SECONDS_MAX);
    bound(RLIMIT_AS, MEMORY_MAX);
    bound(RLIMIT_CORE, 0);
    unsetenv("DEBUGINFOD_URLS");
}

static void finding(const function *said, unsigned index, const char *state, const char *words) {
    char place[40];
    snprintf(place, sizeof place, "functions[%u]", index);
    out_open(NULL, '{');
    out_text("place", place);
    out_text("name", said->name);
    out_text("symbol", said->symbol);
    out_text("state", state);
    if (words != NULL) out_text("words", words);
    out_close('}');
}

static void compare_one(arena *memory, const debug_library *library, const function *said, unsigned index) {
    Dwarf_Die entry;
    const char *words = NULL;
    if (said->is_unchecked) {
        finding(said, index, "unchecked", "the manifest asks for that");
        return;
    }
    words = declared_function(library, said->symbol, &entry);
    if (words != NULL) {
        finding(said, index, "unchecked", words);
        return;
    }
    comparison result = compare_function(memory, said, &entry, &words);
    if (result != COMPARED_DIFFERENT && said->free_symbol != NULL) {
        const char *inner = NULL;
        if (declared_function(library, said->free_symbol, &entry) == NULL
            && compare_release(memory, said->free_symbol, &entry, &inner) == COMPARED_DIFFERENT) {
            result = COMPARED_DIFFERENT;
            words = inner;
        }
    }
    finding(said, index, result == COMPARED_SAME ? "checked" : result == COMPARED_DIFFERENT ? "mismatch" : "unchecked", words);
}

int typed_calls(void) {
    static char bytes[MANIFEST_MAX + 1];
    arena memory = {NULL};
    const char *error = NULL;
    bound_self();
    size_t length = fread(bytes, 1, sizeof bytes, stdin);
    manifest *said = length > MANIFEST_MAX ? NULL : manifest_read(&memory, bytes, length, &error);
    out_open(NULL, '{');
    if (said == NULL) {
        out_text("problem", error != NULL ? error : "the manifest is too large");
    } else {
        char path[PATH_MAX];
        debug_library library = {.problem = "the library is not found"};
        if (library_path(said->library, path) == 0) library_open(&library, path);
        else path[0] = 0;
        out_text("library", said->library);
        out_text("path", path[0] == 0 ? NULL : path);
        out_text("debug", library.dwarf == NULL ? NULL : library.debug != NULL ? library.debug : path);
        out_open("functions", '[');
        for (unsigned i = 0; i < said->function_count; i++) compare_one(&memory, &library, &said->functions[i], i);
        out_close(']');
        library_close(&library);
    }
    out_close('}');
    putchar('\n');
    arena_free(&memory);
    return fflush(stdout) == 0 ? 0 : 74;
}
