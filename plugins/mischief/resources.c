/* resources.c - handlers that take all of something: descriptors, file size, processor time, threads. */
#include "mischief.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int32_t answer(pawl_attempt *attempt, int64_t got, int fault) {
    char out[96];
    snprintf(out, sizeof out, "{\"got\":%lld,\"errno\":%d,\"error\":\"%s\"}", (long long)got, fault, fault ? strerror(fault) : "");
    return attempt->host->result_json(attempt, (pawl_str){out, strlen(out)});
}

int32_t mischief_open(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    int64_t most = 1000000, got = 0;
    int32_t status = args->get_int(attempt, "files", 0, 1000000, &most);
    if (status == PAWL_E_INVALID_INPUT) return status;
    for (; got < most; got++)
        if (open("/dev/null", O_RDONLY) < 0) return answer(attempt, got, errno);
    return answer(attempt, got, 0);
}

/* In its working directory, which is its scratch directory, unless `path` says another place. */
int32_t mischief_write(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    int64_t bytes = 1 << 20, got = 0;
    pawl_str path = PAWL_STR("written");
    int32_t status = args->get_int(attempt, "bytes", 0, INT64_C(1) << 40, &bytes);
    if (status == PAWL_E_INVALID_INPUT) return status;
    status = args->get_str(attempt, "path", &path);
    if (status == PAWL_E_INVALID_INPUT) return status;
    static const char block[65536];
    int fd = open(path.ptr, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0) return answer(attempt, -1, errno);
    while (got < bytes) {
        ssize_t part = write(fd, block, bytes - got < (int64_t)sizeof block ? (size_t)(bytes - got) : sizeof block);
        if (part < 0) return answer(attempt, got, errno);
        got += part;
    }
    return answer(attempt, got, 0);
}

/* Processor time, in a process of its own if asked to: the tree's time counts. */
int32_t mischief_burn(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    int32_t elsewhere = 0;
    int32_t status = args->get_bool(attempt, "in_child", &elsewhere);
    if (status == PAWL_E_INVALID_INPUT) return status;
    if (elsewhere && fork() != 0)
        for (;;) pause();
    volatile uint64_t turns = 0;
    for (;;) turns = turns + 1; /* read, so that no compiler calls it unused */
}

static void *wait_for_ever(void *context) {
    for (;;) pause();
    return context;
}

int32_t mischief_threads(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    int64_t most = 10, got = 0;
    int32_t status = args->get_int(attempt, "threads", 0, 10000, &most);
    if (status == PAWL_E_INVALID_INPUT) return status;
    for (; got < most; got++) {
        pthread_t thread;
        int fault = pthread_create(&thread, NULL, wait_for_ever, NULL);
        if (fault != 0) return answer(attempt, got, fault);
    }
    return answer(attempt, got, 0);
}
