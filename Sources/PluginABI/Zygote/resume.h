/* resume.h - a zygote that has loaded a plugin which cannot be forked becomes, by exec, one without it: same pid, same
 * connection, one thread. Its children load the plugin afresh. */
#ifndef PAWL_RESUME_H
#define PAWL_RESUME_H

#include "control.h"

#define RESUME_ARGUMENT "--resume-in-spawn-mode"

/* Does not return; the process ends where the exec fails, which the host notices. */
_Noreturn void resume_in_spawn_mode(control *host, const pawl_c_hello *hello, const char *path, const char *config);
/* The other side. */
void resume_take(int fd, pawl_c_hello *hello, char **path, char **config);

#endif
