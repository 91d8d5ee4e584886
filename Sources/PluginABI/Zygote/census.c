/* census.c - counts in /proc/self, which are kept open: finding them would cost more than the answers.
 *
 * Language runtimes keep things for good the first time they are needed: libdispatch threads that wait for work, an epoll
 * descriptor with its event and timer descriptors. Those are known by their kind and are no leak. */
#include "census.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUNTIME_DESCRIPTORS_MAX 16 /* more of one kind than any runtime keeps */

static int fds = -1, tasks = -1;
static struct {
    uint32_t descriptors, threads; /* by number; what is known to be the runtime's is counted */
    uint32_t foreign_descriptors, foreign_threads;
} known;

/* Open descriptors. Linux 6.2 and later tell it as the size of the directory. */
static uint32_t count_descriptors(void) {
    struct stat status;
    if (fstat(fds, &status) == 0 && status.st_size > 0) return (uint32_t)status.st_size;
    DIR *all = opendir("/proc/self/fd");
    uint32_t count = 0;
    if (all == NULL) return 0;
    for (struct dirent *entry; (entry = readdir(all)) != NULL;) if (entry->d_name[0] != '.') count++;
    closedir(all);
    return count > 0 ? count - 1 : 0; /* the directory's own */
}

/* As thread_count, without the search for the directory. */
static uint32_t count_threads(void) {
    struct stat status;
    return fstat(tasks, &status) == 0 && status.st_nlink >= 3 ? (uint32_t)status.st_nlink - 2 : thread_count();
}

static bool is_runtime_descriptor(const char *target) {
    static const char *const kinds[] = {"anon_inode:[eventpoll]", "anon_inode:[eventfd]", "anon_inode:[timerfd]"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) if (strcmp(target, kinds[i]) == 0) return true;
    /* The C library's and Swift's sources of randomness. */
    return strcmp(target, "/dev/urandom") == 0 || strcmp(target, "/dev/random") == 0;
}

/* Those that no runtime opens for good. */
static uint32_t count_foreign_descriptors(void) {
    DIR *all = opendir("/proc/self/fd");
    uint32_t foreign = 0, runtime = 0;
    if (all == NULL) return 0;
    for (struct dirent *entry; (entry = readdir(all)) != NULL;) {
        char target[64];
        if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(all)) continue;
        ssize_t length = readlinkat(dirfd(all), entry->d_name, target, sizeof target - 1);
        if (length < 0) continue;
        target[length] = 0;
        if (is_runtime_descriptor(target) && runtime < RUNTIME_DESCRIPTORS_MAX) runtime++;
        else foreign++;
    }
    closedir(all);
    return foreign;
}

/* libdispatch names its threads after their queues, com.apple.root.default-qos and the like, of which the kernel keeps the
 * last 15 characters. They wait for work, and end when there is none for long. */
static bool is_runtime_thread(const char *name) {
    static const char *const ends[] = {"-qos", "-qos.overcommit", "DispatchWorker", "DispatchManager"};
    size_t length = strcspn(name, "\n");
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        size_t end = strlen(ends[i]);
        if (length >= end && memcmp(name + length - end, ends[i], end) == 0) return true;
    }
    return false;
}

static uint32_t count_foreign_threads(void) {
    DIR *all = opendir("/proc/self/task");
    uint32_t foreign = 0;
    if (all == NULL) return 0;
    for (struct dirent *entry; (entry = readdir(all)) != NULL;) {
        char path[300], name[32] = "";
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/comm", entry->d_name);
        int fd = openat(dirfd(all), path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) continue; /* it has just ended */
        ssize_t length = read(fd, name, sizeof name - 1);
        close(fd);
        if (length > 0 && !is_runtime_thread(name)) foreign++;
    }
    closedir(all);
    return foreign;
}

/* A thread that the run has told to end may take a moment for it; a leaked one stays. Nobody says when somebody else's thread is
 * gone, so it is looked for, and only where there is one too many. */
static uint32_t settle_threads(void) {
    uint32_t foreign = count_foreign_threads();
    for (int round = 0; foreign > known.foreign_threads && round < 20; round++) {
        usleep(1000);
        foreign = count_foreign_threads();
    }
    return foreign;
}

/* ---- the calls ---- */

void census_open(void) {
    fds = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
    tasks = open("/proc/self/task", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

void census_remember(void) {
    known.descriptors = count_descriptors();
    known.foreign_descriptors = count_foreign_descriptors();
    known.threads = count_threads();
    known.foreign_threads = count_foreign_threads();
}

uint32_t census_new_threads(void) {
    if (count_threads() == known.threads) return 0;
    uint32_t before = known.foreign_threads, foreign = settle_threads();
    known.foreign_threads = foreign;
    known.threads = count_threads();
    return foreign > before ? foreign - before : 0;
}

uint32_t census_new_descriptors(void) {
    uint32_t descriptors = count_descriptors();
    if (descriptors == known.descriptors) return 0;
    uint32_t before = known.foreign_descriptors, foreign = count_foreign_descriptors();
    known.foreign_descriptors = foreign;
    known.descriptors = descriptors;
    return foreign > before ? foreign - before : 0;
}
