/* barefork.c - the kernel's own price of an attempt: what no supervisor of one process per attempt can beat.
 *
 *   barefork RUNS PARALLEL [CGROUP_DIR]
 *
 * Per run: mkdir of a cgroup leaf (where CGROUP_DIR is given), clone3 into it, in the child a fresh thread that reads one
 * request and writes one reply, exit, wait, rmdir. PARALLEL children are kept going. No database, no frames, no log.
 * Prints one line of JSON: {"runs":…,"parallel":…,"cgroup":…,"seconds":…,"per_second":…,"p50_us":…,"p99_us":…}.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct slot {
    pid_t pid;
    int socket;
    int cgroup;
    char leaf[512];
    double began;
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what) {
    fprintf(stderr, "barefork: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void *handler(void *argument) {
    int fd = *(int *)argument;
    char request[64];
    if (read(fd, request, sizeof request) != (ssize_t)sizeof request) _exit(2);
    if (write(fd, request, sizeof request) != (ssize_t)sizeof request) _exit(3);
    return NULL;
}

static void start(struct slot *slot, const char *root, long number) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) die("socketpair");
    char request[64] = "run";
    if (write(pair[0], request, sizeof request) != (ssize_t)sizeof request) die("write");
    struct clone_args arguments = {.exit_signal = SIGCHLD};
    slot->cgroup = -1;
    if (root) {
        snprintf(slot->leaf, sizeof slot->leaf, "%s/bare-%d-%ld", root, (int)getpid(), number);
        if (mkdir(slot->leaf, 0755) != 0) die(slot->leaf);
        slot->cgroup = open(slot->leaf, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (slot->cgroup < 0) die(slot->leaf);
        arguments.flags = CLONE_INTO_CGROUP;
        arguments.cgroup = (uint64_t)slot->cgroup;
    }
    slot->began = now();
    pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid < 0) die("clone3");
    if (pid == 0) {
        setsid();
        pthread_t thread;
        if (pthread_create(&thread, NULL, handler, &pair[1]) != 0) _exit(4);
        pthread_join(thread, NULL);
        _exit(0);
    }
    close(pair[1]);
    slot->pid = pid;
    slot->socket = pair[0];
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int count, char **words) {
    if (count < 3) {
        fprintf(stderr, "usage: barefork RUNS PARALLEL [CGROUP_DIR]\n");
        return 64;
    }
    long runs = atol(words[1]), parallel = atol(words[2]);
    const char *root = count > 3 && words[3][0] ? words[3] : NULL;
    if (runs < 1 || parallel < 1 || parallel > 1024) return 64;
    struct slot *slots = calloc((size_t)parallel, sizeof *slots);
    struct pollfd *polls = calloc((size_t)parallel, sizeof *polls);
    double *took = calloc((size_t)runs, sizeof *took);
    if (!slots || !polls || !took) die("calloc");
    long started = 0, ended = 0;
    double began = now();
    for (long i = 0; i < parallel; i++) polls[i].fd = -1;
    while (ended < runs) {
        for (long i = 0; i < parallel && started < runs; i++)
            if (polls[i].fd < 0) {
                start(&slots[i], root, started++);
                polls[i] = (struct pollfd){.fd = slots[i].socket, .events = POLLIN};
            }
        if (poll(polls, (nfds_t)parallel, -1) < 0 && errno != EINTR) die("poll");
        for (long i = 0; i < parallel; i++) {
            if (polls[i].fd < 0 || !polls[i].revents) continue;
            char reply[64];
            int status;
            if (read(polls[i].fd, reply, sizeof reply) != (ssize_t)sizeof reply) die("no reply");
            if (waitpid(slots[i].pid, &status, 0) != slots[i].pid || status != 0) die("child");
            took[ended++] = (now() - slots[i].began) * 1e6;
            close(slots[i].socket);
            if (slots[i].cgroup >= 0) {
                close(slots[i].cgroup);
                rmdir(slots[i].leaf);
            }
            polls[i].fd = -1;
        }
    }
    double seconds = now() - began;
    qsort(took, (size_t)runs, sizeof *took, compare);
    printf("{\"runs\":%ld,\"parallel\":%ld,\"cgroup\":%s,\"seconds\":%.3f,\"per_second\":%.0f,\"p50_us\":%.0f,\"p99_us\":%.0f}\n",
           runs, parallel, root ? "true" : "false", seconds, (double)runs / seconds, took[runs / 2], took[runs * 99 / 100]);
    return 0;
}
