/* exit_note.c - a crash record without a crash. */
#include "exit_note.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "zygote.h"

/* VmPeak of this process in bytes; 0 where the kernel does not tell. */
static uint64_t largest_size(void) {
    char bytes[2048];
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t length = read(fd, bytes, sizeof bytes - 1);
    close(fd);
    if (length <= 0) return 0;
    bytes[length] = 0;
    const char *line = strstr(bytes, "VmPeak:");
    return line == NULL ? 0 : strtoull(line + 7, NULL, 10) * 1024;
}

static pid_t owner;

static void on_exit_called(void) {
    int error = errno;
    if (getpid() != owner) return; /* a process that the handler forked */
    static pawl_crash note = {.magic = PAWL_CRASH_MAGIC, .version = PAWL_CRASH_VERSION};
    note.error = error;
    note.address_space_bytes = largest_size();
    /* Whoever does not hear it knows less, and that is all. */
    if (write(PAWL_CHILD_FD_CRASH, &note, sizeof note) < 0) note.error = 0;
}

void exit_note_install(void) {
    owner = getpid();
    if (atexit(on_exit_called) != 0) complain("pawl: no memory to be told of exit()");
}
