/* starts a thread long after it was loaded: when its process gets SIGUSR1 */
#include "fixture.h"
#include <pthread.h>
#include <signal.h>
#include <unistd.h>
static void *wait_for_ever(void *context) {
    for (;;) pause();
    return context;
}
/* Not allowed in a signal handler; good enough where nothing else goes on. */
static void start_thread(int number) {
    pthread_t thread;
    (void)number;
    pthread_create(&thread, NULL, wait_for_ever, NULL);
}
FIXTURE_DESCRIPTOR("late-thread", .flags = 0)
FIXTURE_ENTRY(signal(SIGUSR1, start_thread);)
