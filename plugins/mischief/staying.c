/* staying.c - handlers that will not end. */
#include "mischief.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static void be_deaf(void) {
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
}

int32_t mischief_spin(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)attempt, (void)json;
    for (volatile uint64_t turns = 0;; turns = turns + 1) {}
}

int32_t mischief_deaf(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    be_deaf();
    attempt->host->log(attempt, PAWL_LOG_WARNING, PAWL_STR("ignoring SIGTERM from now on"), PAWL_NO_STR);
    for (;;) sleep(1);
}

/* A grandchild in a session of its own, whose parent is gone: its pid comes back over a pipe. Between fork and the
 * end only calls that are allowed after a fork of a process with threads. */
static pid_t escape_one(void) {
    int channel[2];
    pid_t escapee = -1;
    if (pipe(channel) != 0) return -1;
    pid_t child = fork();
    if (child == 0) {
        setsid();
        pid_t grandchild = fork();
        if (grandchild == 0) {
            setsid();
            be_deaf();
            pid_t self = getpid();
            if (write(channel[1], &self, sizeof self) < 0) _exit(1);
            close(channel[0]);
            close(channel[1]);
            for (;;) pause();
        }
        _exit(0);
    }
    close(channel[1]);
    if (child > 0) {
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
        if (read(channel[0], &escapee, sizeof escapee) != sizeof escapee) escapee = -1;
    }
    close(channel[0]);
    return escapee;
}

static int32_t escape_all(pawl_attempt *attempt) {
    int64_t children = 5;
    int32_t status = args->get_int(attempt, "children", 0, 1000, &children);
    if (status == PAWL_E_INVALID_INPUT) return status;
    for (int64_t i = 0; i < children; i++) {
        char line[64];
        pid_t escapee = escape_one();
        if (escapee < 0) return PAWL_E_INTERNAL;
        int length = snprintf(line, sizeof line, "escaped: %d", (int)escapee);
        attempt->host->log(attempt, PAWL_LOG_WARNING, (pawl_str){line, (size_t)length}, PAWL_NO_STR);
    }
    return PAWL_OK;
}

int32_t mischief_escape(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    be_deaf();
    int32_t status = escape_all(attempt);
    if (status != PAWL_OK) return status;
    attempt->host->log(attempt, PAWL_LOG_WARNING, PAWL_STR("all have escaped"), PAWL_NO_STR);
    for (volatile uint64_t turns = 0;; turns = turns + 1) {}
}

int32_t mischief_leave(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    return escape_all(attempt);
}

int32_t mischief_exec(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)attempt, (void)json;
    execl("/bin/sleep", "sleep", "0.1", (char *)NULL);
    return PAWL_E_FAILED;
}
