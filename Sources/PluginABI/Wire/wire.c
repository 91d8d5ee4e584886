/* wire.c - makes a SwiftPM target of the headers, and names system calls for people. */
#include "pawl_sandbox.h"
#include "pawl_wire.h"

#include <stddef.h>
#include <sys/syscall.h>

/* Newer than the headers of Debian 12 are none of them. */
#define CASE(name) case SYS_##name: return #name;

const char *pawl_trapped_call(uint64_t number) {
    switch (number) {
        PAWL_CALLS_TRAPPED(CASE)
        PAWL_CALLS_TRAPPED_HERE(CASE)
    default: return NULL;
    }
}
