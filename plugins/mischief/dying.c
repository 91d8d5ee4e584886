/* dying.c - handlers that end as they should not. */
#include "mischief.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile uintptr_t nowhere = 42; /* nothing is mapped there; volatile hides it from the compiler */
static volatile int for_ever = 1;

/* Out of line, so that the stack of a crash shows it. */
__attribute__((noinline)) static int write_to_nowhere(void) {
    *(volatile int *)nowhere = 1;
    return 0;
}

int32_t mischief_segv(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    attempt->host->log(attempt, PAWL_LOG_WARNING, PAWL_STR("about to write to address 42"), PAWL_NO_STR);
    return write_to_nowhere() + PAWL_E_INTERNAL; /* no tail call: the stack shows this function too */
}

int32_t mischief_abort(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)attempt, (void)json;
    fprintf(stderr, "mischief: calling abort()\n");
    abort();
}

__attribute__((noinline)) static int deeper(volatile int *above) {
    volatile int room[1024];
    room[0] = *above + 1;
    return for_ever ? deeper(room) + room[0] : 0; /* the sum keeps it from being a loop */
}

int32_t mischief_overflow(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)attempt, (void)json;
    volatile int start = 0;
    return deeper(&start);
}

int32_t mischief_jump(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)attempt, (void)json;
    uintptr_t address = nowhere;
    int (*function)(void);
    memcpy(&function, &address, sizeof function);
    return function() + 1;
}

static void *crash(void *context) {
    (void)context;
    write_to_nowhere();
    return NULL;
}

int32_t mischief_thread_segv(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)attempt, (void)json;
    pthread_t thread;
    if (pthread_create(&thread, NULL, crash, NULL) != 0) return PAWL_E_INTERNAL;
    pthread_join(thread, NULL);
    return PAWL_OK;
}

int32_t mischief_exit(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    int64_t code = 0;
    int32_t status = args->get_int(attempt, "code", 0, 255, &code);
    if (status == PAWL_E_INVALID_INPUT) return status;
    exit((int)code);
}

int32_t mischief_hog(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    int64_t mb = 64;
    int32_t status = args->get_int(attempt, "mb", 0, 1 << 20, &mb);
    if (status == PAWL_E_INVALID_INPUT) return status;
    attempt->host->set_stage(attempt, PAWL_STR("Taking memory"));
    attempt->host->set_total(attempt, (uint64_t)mb, PAWL_STR("MiB"));
    for (int64_t i = 0; i < mb; i++) {
        char *block = malloc(1 << 20);
        if (block == NULL) {
            fprintf(stderr, "mischief: out of memory after %lld MiB\n", (long long)i);
            abort(); /* as most languages' runtimes do */
        }
        memset(block, 1, 1 << 20);
        attempt->host->advance(attempt, 1);
        if (attempt->host->is_cancelled(attempt)) return PAWL_E_CANCELLED;
    }
    return PAWL_OK;
}

int32_t mischief_flood(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    int64_t bytes = 1 << 20, written = 0;
    int32_t status = args->get_int(attempt, "bytes", 0, INT64_C(1) << 40, &bytes);
    if (status == PAWL_E_INVALID_INPUT) return status;
    char lines[8000];
    memset(lines, '.', sizeof lines);
    for (size_t i = 79; i < sizeof lines; i += 80) lines[i] = '\n';
    while (written < bytes) {
        size_t part = bytes - written < (int64_t)sizeof lines ? (size_t)(bytes - written) : sizeof lines;
        ssize_t got = write(STDOUT_FILENO, lines, part);
        if (got <= 0) return PAWL_E_FAILED;
        written += got;
    }
    return PAWL_OK;
}

int32_t mischief_print(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    int64_t lines = 10;
    int32_t status = args->get_int(attempt, "lines", 0, INT64_C(1) << 40, &lines);
    if (status == PAWL_E_INVALID_INPUT) return status;
    for (int64_t i = 1; i <= lines; i++) {
        if (printf("line %lld of %lld: %0*d\n", (long long)i, (long long)lines, (int)(i % 97) + 1, 0) < 0) return PAWL_E_FAILED;
    }
    return fflush(stdout) == 0 ? PAWL_OK : PAWL_E_FAILED;
}

static void *go_on(void *context) {
    pawl_attempt *attempt = context;
    while (for_ever) attempt->host->advance(attempt, 1);
    return NULL;
}

int32_t mischief_late(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    pthread_t thread;
    if (pthread_create(&thread, NULL, go_on, attempt) != 0) return PAWL_E_INTERNAL;
    return attempt->host->result_json(attempt, PAWL_STR("\"returned\""));
}

static void *crash_soon(void *context) {
    (void)context;
    usleep(20000);
    write_to_nowhere();
    return NULL;
}

/* With a result on its way: before run() returns, or from a thread that outlives it. */
int32_t mischief_crash_after_result(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    int32_t later = 0;
    int32_t status = args->get_bool(attempt, "later", &later);
    if (status == PAWL_E_INVALID_INPUT) return status;
    status = attempt->host->result_json(attempt, PAWL_STR("\"said\""));
    pthread_t thread;
    if (!later) return status + write_to_nowhere();
    if (pthread_create(&thread, NULL, crash_soon, NULL) != 0) return PAWL_E_INTERNAL;
    return status;
}
