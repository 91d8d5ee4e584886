/* main_queue.h - the plugin's main dispatch queue (Swift's @MainActor), which the child's main thread has to pump. */
#ifndef PAWL_MAIN_QUEUE_H
#define PAWL_MAIN_QUEUE_H

#include "load.h"

typedef struct main_queue {
    int port;           /* readable when there is work; -1: there is no queue to pump */
    void (*pump)(void);
} main_queue;

/* In the child, on the main thread. Only for plugins with PAWL_PF_NEEDS_MAIN_QUEUE. */
main_queue main_queue_open(const loaded_plugin *plugin);

#endif
