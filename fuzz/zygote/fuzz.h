/* fuzz.h - what the targets share: the code under test ends processes, here it ends one input. */
#ifndef FUZZ_H
#define FUZZ_H

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static jmp_buf over;

/* In place of _exit(), in all of the code under test; see --wrap in fuzz/run. */
_Noreturn void __wrap__exit(int code);
_Noreturn void __wrap__exit(int code) {
    (void)code;
    longjmp(over, 1);
}

/* Says what must never be, and stops. */
static __attribute__((unused)) void must(int holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "broken: %s\n", what);
    abort();
}

/* Complaints would only slow it down; see --wrap in fuzz/run. */
void __wrap_complain(const char *text);
void __wrap_complain(const char *text) { (void)text; }

_Noreturn void __wrap_give_up(const char *why);
_Noreturn void __wrap_give_up(const char *why) {
    (void)why;
    __wrap__exit(1);
}

#endif
