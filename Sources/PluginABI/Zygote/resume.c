/* resume.c - HELLO survives the exec in a memory file, whose descriptor is placed where the new zygote keeps it
 * open. */
#include "resume.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void put(int fd, const void *bytes, size_t length) {
    if (write(fd, bytes, length) != (ssize_t)length) give_up("pawl-zygote: cannot keep HELLO for spawn mode");
}

_Noreturn void resume_in_spawn_mode(control *host, const pawl_c_hello *hello, const char *path, const char *config) {
    while (host->first != NULL) { /* what is not sent now would be lost */
        struct pollfd writable = {.fd = host->fd, .events = POLLOUT};
        poll(&writable, 1, -1);
        if ((writable.revents & (POLLHUP | POLLERR)) != 0) _exit(EXIT_HOST_GONE);
        control_flush(host);
    }
    int fd = memfd_create("pawl-hello", MFD_CLOEXEC);
    if (fd < 0) give_up("pawl-zygote: no memory file for spawn mode");
    put(fd, hello, sizeof *hello);
    put(fd, path, hello->path_length);
    put(fd, config, hello->config_length);
    /* stdin is /dev/null and of no use to a zygote: the new one finds HELLO there and puts /dev/null back. */
    if (lseek(fd, 0, SEEK_SET) != 0 || dup2(fd, STDIN_FILENO) < 0 || fcntl(host->fd, F_SETFD, 0) != 0)
        give_up("pawl-zygote: cannot hand HELLO to spawn mode");
    execl("/proc/self/exe", "pawl-zygote", RESUME_ARGUMENT, (char *)NULL);
    give_up("pawl-zygote: cannot start again in spawn mode");
}

static void get(int fd, void *bytes, size_t length) {
    if (read(fd, bytes, length) != (ssize_t)length) give_up("pawl-zygote: HELLO is lost");
}

void resume_take(int fd, pawl_c_hello *hello, char **path, char **config) {
    get(fd, hello, sizeof *hello);
    *path = calloc(1, (size_t)hello->path_length + 1);
    *config = calloc(1, (size_t)hello->config_length + 1);
    if (*path == NULL || *config == NULL) give_up("pawl-zygote: out of memory");
    get(fd, *path, hello->path_length);
    get(fd, *config, hello->config_length);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0 || dup2(null, fd) < 0) give_up("pawl-zygote: no /dev/null");
    close(null);
}
