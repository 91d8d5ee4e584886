/* forking.c - handlers that make processes faster than anybody can look, or more than they may. */
#include "mischief.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Each process of a chain forks the next one and ends: every pid in it is out of date when it is read. */
static void roll(void) {
    signal(SIGTERM, SIG_IGN);
    setsid();
    for (;;) {
        pid_t next = fork();
        if (next > 0) _exit(0);
        if (next < 0) usleep(1000); /* no room: this link stays until there is */
    }
}

int32_t mischief_roll(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    int64_t chains = 3;
    int32_t status = args->get_int(attempt, "chains", 0, 100, &chains);
    if (status == PAWL_E_INVALID_INPUT) return status;
    signal(SIGCHLD, SIG_IGN);
    for (int64_t i = 0; i < chains; i++)
        if (fork() == 0) roll();
    attempt->host->log(attempt, PAWL_LOG_WARNING, PAWL_STR("they roll"), PAWL_NO_STR);
    while (!attempt->host->is_cancelled(attempt)) usleep(10000);
    signal(SIGTERM, SIG_IGN);
    for (;;) pause();
}

/* Every process forks until `most` have been made in all, or it gets no more. */
int32_t mischief_bomb(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    int64_t most = 200, made = 0;
    int32_t status = args->get_int(attempt, "processes", 0, 5000, &most);
    if (status == PAWL_E_INVALID_INPUT) return status;
    int fault = 0;
    for (; made < most; made++) {
        pid_t child = fork();
        if (child == 0) {
            signal(SIGTERM, SIG_IGN);
            for (;;) pause();
        }
        if (child < 0) {
            fault = errno;
            break;
        }
    }
    char out[96];
    snprintf(out, sizeof out, "{\"made\":%lld,\"errno\":%d}", (long long)made, fault);
    /* Long enough for whoever counts them. */
    for (int i = 0; i < 300 && !attempt->host->is_cancelled(attempt); i++) usleep(10000);
    return attempt->host->result_json(attempt, (pawl_str){out, strlen(out)});
}

/* A grandchild that keeps stdout and stderr open for long after the handler has ended. */
int32_t mischief_hold(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    int said[2];
    char byte;
    if (pipe(said) != 0) return PAWL_E_INTERNAL;
    if (fork() == 0) {
        setsid();
        signal(SIGTERM, SIG_IGN);
        if (write(STDOUT_FILENO, "held\n", 5) != 5 || write(said[1], "x", 1) != 1) _exit(1);
        sleep(600);
        _exit(0);
    }
    close(said[1]);
    if (read(said[0], &byte, 1) != 1) return PAWL_E_INTERNAL;
    return attempt->host->result_json(attempt, PAWL_STR("\"returned\""));
}
