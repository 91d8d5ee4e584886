/* sandbox.c - the sandbox text of SPAWN. */
#include "fuzz.h"

#include <limits.h>

#include "sandbox.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    static sandbox s;
    char *copy = malloc(length == 0 ? 1 : length);
    memcpy(copy, bytes, length);
    if (sandbox_parse(copy, length, &s)) {
        must(s.head.profile == PAWL_SANDBOX_STRICT && s.head.uid != 0 && s.head.gid != 0, "a profile, and never root");
        for (uint32_t i = 0; i < s.head.path_count; i++) {
            must(s.paths[i].path >= copy && s.paths[i].path + s.paths[i].length <= copy + length, "a path in its text");
            must(s.paths[i].path[0] == '/' && s.paths[i].length < PATH_MAX, "an absolute path");
        }
    }
    free(copy);
    return 0;
}
