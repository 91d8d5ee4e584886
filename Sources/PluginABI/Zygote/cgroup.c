/* cgroup.c - three files of a cgroup directory. */
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int put(int directory, const char *file, const char *word) {
    int fd = openat(directory, file, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    int status = write(fd, word, strlen(word)) < 0 ? -errno : 0;
    close(fd);
    return status;
}

int cgroup_join(int directory) { return put(directory, "cgroup.procs", "0"); }

int cgroup_populated(int directory) {
    char bytes[256];
    int fd = openat(directory, "cgroup.events", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    ssize_t length = read(fd, bytes, sizeof bytes - 1);
    int error = errno;
    close(fd);
    if (length < 0) return -error;
    bytes[length] = 0;
    const char *line = strstr(bytes, "populated ");
    return line == NULL ? -EPROTO : line[10] == '1';
}

/* For kernels without cgroup.kill. A pid of the list can only be another process's if it ended, was reaped and was
 * given out again within the few microseconds between the read and the kill. */
static int kill_one_by_one(int directory) {
    uint64_t deadline = monotonic_ns() + UINT64_C(1000000000);
    while (cgroup_populated(directory) == 1) {
        if (monotonic_ns() > deadline) return -ETIMEDOUT;
        int fd = openat(directory, "cgroup.procs", O_RDONLY | O_CLOEXEC);
        FILE *list = fd >= 0 ? fdopen(fd, "r") : NULL;
        if (list == NULL) {
            int error = errno;
            if (fd >= 0) close(fd);
            return -error;
        }
        for (int pid; fscanf(list, "%d", &pid) == 1;) kill(pid, SIGKILL);
        fclose(list);
        usleep(1000);
    }
    return 0;
}

int cgroup_kill(int directory) {
    int status = put(directory, "cgroup.kill", "1");
    return status == -ENOENT ? kill_one_by_one(directory) : status;
}
