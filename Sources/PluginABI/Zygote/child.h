/* child.h - the process of one attempt. */
#ifndef PAWL_CHILD_H
#define PAWL_CHILD_H

#include "load.h"
#include "spawn.h"

/* What a child runs: the plugin that the zygote has loaded, or the image to load in the child (spawn mode). */
typedef struct child_image {
    const loaded_plugin *plugin; /* NULL: load `path` */
    const char *path;
    uint64_t bytes;
} child_image;

/* Turns the process that spawn_fork has just made into the attempt's and runs it. `keeper` is the parent's pid. */
_Noreturn void child_main(const spawn_request *request, const child_image *image, pid_t keeper);

#endif
