#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

pid_t linux_gettid(void) {
    return (pid_t)syscall(SYS_gettid);
}

void linux_set_thread_name(const char *name) {
    prctl(PR_SET_NAME, name, 0UL, 0UL, 0UL);
}

int linux_thread_count(void) {
    char text[4096];
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    ssize_t length = read(fd, text, sizeof text - 1);
    int error = errno;
    close(fd);
    if (length < 0) {
        return -error;
    }
    text[length] = '\0';
    const char *line = strstr(text, "\nThreads:");
    return line == NULL ? -EINVAL : atoi(line + strlen("\nThreads:"));
}
