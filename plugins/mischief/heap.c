/* heap.c - handlers that damage their heap, or all but. */
#include "mischief.h"

#include <stdlib.h>
#include <string.h>

/* Volatile: the compiler sees through anything else, and refuses. */
static void *volatile kept;

int32_t mischief_double_free(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)attempt, (void)json;
    kept = malloc(100);
    free(kept);
    free(kept);
    return PAWL_OK;
}

int32_t mischief_smash(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)attempt, (void)json;
    volatile size_t far = 100000;
    for (int i = 0; i < 100; i++) {
        kept = malloc(40);
        memset(kept, 0x5a, far); /* over everything that follows */
        void *next = malloc(2000);
        free(kept);
        free(next);
    }
    return PAWL_OK;
}
