/* signals.c - handlers that get a signal: any, in any thread of the process, and in the middle of a signal handler. */
#include "mischief.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

static volatile int for_ever = 1;
static int64_t wanted = SIGSEGV;

static void raise_in_thread(pid_t thread) { syscall(SYS_tgkill, getpid(), thread, (int)wanted); }

static void *raise_here(void *context) {
    raise_in_thread((pid_t)syscall(SYS_gettid));
    return context;
}

/* The process's main thread is Pawl's own: it listens to the host while the handler works. */
int32_t mischief_signal(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    pawl_str thread = PAWL_STR("worker");
    int32_t status = args->get_int(attempt, "signal", 1, 64, &wanted);
    if (status != PAWL_OK && status != PAWL_E_NOT_FOUND) return status;
    status = args->get_str(attempt, "thread", &thread);
    if (status != PAWL_OK && status != PAWL_E_NOT_FOUND) return status;
    attempt->host->log(attempt, PAWL_LOG_INFO, PAWL_STR("about to get a signal"), PAWL_NO_STR);
    pthread_t other;
    switch (thread.ptr[0]) {
    case 'o':
        if (pthread_create(&other, NULL, raise_here, NULL) != 0) return PAWL_E_INTERNAL;
        pthread_join(other, NULL);
        break;
    case 'm': raise_in_thread(getpid()); break;
    default: raise_in_thread((pid_t)syscall(SYS_gettid)); break;
    }
    /* One that is ignored, or taken by the main thread in a moment. */
    struct timespec moment = {.tv_nsec = 300000000};
    while (nanosleep(&moment, &moment) != 0 && errno == EINTR) {}
    return PAWL_OK;
}

__attribute__((noinline)) static int deeper(volatile int *above) {
    volatile int room[1024];
    room[0] = *above + 1;
    return for_ever ? deeper(room) + room[0] : 0;
}

static void recurse(int number) {
    volatile int start = number;
    deeper(&start);
}

int32_t mischief_handler_overflow(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)attempt, (void)json;
    struct sigaction action = {.sa_handler = recurse};
    sigaction(SIGUSR1, &action, NULL);
    wanted = SIGUSR1;
    raise_here(NULL);
    return PAWL_OK;
}
