/* waiting.c - handlers that stand still, each for another reason, and one that tries to leave its control group. */
#include "mischief.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* SIGSTOP to itself: stopped until somebody continues it. */
int32_t mischief_stop(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    attempt->host->log(attempt, PAWL_LOG_WARNING, PAWL_STR("stopping"), PAWL_NO_STR);
    raise(SIGSTOP);
    return PAWL_OK;
}

/* Reads from a pipe that nobody writes, or from `path`. */
int32_t mischief_read(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    pawl_str path = PAWL_NO_STR;
    int32_t status = args->get_str(attempt, "path", &path);
    if (status == PAWL_E_INVALID_INPUT) return status;
    int ends[2];
    if (pipe(ends) != 0) return PAWL_E_INTERNAL;
    attempt->host->log(attempt, PAWL_LOG_INFO, PAWL_STR("reading"), PAWL_NO_STR);
    if (path.ptr != NULL && (ends[0] = open(path.ptr, O_RDONLY)) < 0) return PAWL_E_FAILED;
    char byte;
    return read(ends[0], &byte, 1) < 0 ? PAWL_E_FAILED : PAWL_OK;
}

static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER, second = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t both;

static void *take_second_then_first(void *context) {
    pthread_mutex_lock(&second);
    pthread_barrier_wait(&both);
    pthread_mutex_lock(&first);
    return context;
}

int32_t mischief_deadlock(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    pthread_t other;
    pthread_barrier_init(&both, NULL, 2);
    if (pthread_create(&other, NULL, take_second_then_first, NULL) != 0) return PAWL_E_INTERNAL;
    attempt->host->log(attempt, PAWL_LOG_INFO, PAWL_STR("taking both locks"), PAWL_NO_STR);
    pthread_mutex_lock(&first);
    pthread_barrier_wait(&both);
    pthread_mutex_lock(&second);
    return PAWL_OK;
}

/* Writes its pid into `path`, a cgroup.procs file, and says what came of it. */
int32_t mischief_move(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    pawl_str path = PAWL_STR("/sys/fs/cgroup/cgroup.procs");
    int32_t status = args->get_str(attempt, "path", &path);
    if (status == PAWL_E_INVALID_INPUT) return status;
    int fd = open(path.ptr, O_WRONLY), fault = fd < 0 ? errno : 0;
    if (fd >= 0 && write(fd, "0", 1) < 0) fault = errno;
    char out[64];
    snprintf(out, sizeof out, "{\"moved\":%s,\"errno\":%d,\"uid\":%d}", fault == 0 ? "true" : "false", fault, (int)getuid());
    return attempt->host->result_json(attempt, (pawl_str){out, strlen(out)});
}
