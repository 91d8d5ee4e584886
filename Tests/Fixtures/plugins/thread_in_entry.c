/* starts a thread while it loads: cannot be forked, works all the same */
#include "fixture.h"
#include <pthread.h>
#include <unistd.h>
static void *wait_for_ever(void *context) {
    for (;;) pause();
    return context;
}
static void start_thread(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, wait_for_ever, NULL);
}
FIXTURE_DESCRIPTOR("thread-in-entry", .flags = 0)
FIXTURE_ENTRY(start_thread();)
