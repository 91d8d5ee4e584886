/* fault.c - what happens at fault points; see fault.h. */
#include "fault.h"

#ifdef PAWL_FAULTS
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char plan[256];

void fault_init(void) {
    const char *given = getenv("PAWL_FAULT");
    if (given != NULL) snprintf(plan, sizeof plan, "%s", given);
}

void fault_at(const char *point) {
    size_t length = strlen(point);
    for (const char *at = plan; at != NULL && *at != 0; at = strchr(at, ',') == NULL ? NULL : strchr(at, ',') + 1) {
        if (strncmp(at, point, length) != 0 || at[length] != ':') continue;
        const char *action = at + length + 1;
        if (strncmp(action, "exit", 4) == 0) _exit(99);
        if (strncmp(action, "kill", 4) == 0) raise(SIGKILL);
        if (strncmp(action, "abort", 5) == 0) abort();
        if (strncmp(action, "stop", 4) == 0) raise(SIGSTOP);
    }
}
#else
/* ISO C forbids an empty translation unit. */
typedef int fault_points_are_compiled_out;
#endif
