/* util.c - clock, complaints, thread count. */
#include "zygote.h"

#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

uint64_t monotonic_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t unix_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

void complain(const char *text) {
    char line[513];
    size_t length = strnlen(text, sizeof line - 1);
    memcpy(line, text, length);
    line[length] = '\n';
    /* Nobody can be told of a failing stderr. */
    if (write(STDERR_FILENO, line, length + 1) < 0) return;
}

void give_up(const char *why) {
    complain(why);
    _exit(EXIT_SETUP);
}

uint32_t thread_count(void) {
    struct stat status;
    /* A task directory has a link for ".", one for its entry above, and one per thread. */
    if (stat("/proc/self/task", &status) != 0 || status.st_nlink < 3) return 0;
    return (uint32_t)status.st_nlink - 2;
}

size_t utf8_cut(const char *text, size_t length, size_t limit) {
    if (length <= limit) return length;
    size_t cut = limit;
    /* A continuation byte at the cut means that the sequence before it is not whole. At most three follow a lead. */
    for (int back = 0; back < 4 && cut > 0 && ((unsigned char)text[cut] & 0xC0u) == 0x80u; back++) cut--;
    return cut;
}
