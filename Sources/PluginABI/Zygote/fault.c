/* fault.c - what happens at fault points; see fault.h. */
#include "fault.h"

#ifdef PAWL_FAULTS
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEPS_MAX 16

static struct step {
    char point[32], action[16];
    unsigned long nth, seen; /* nth 0: each time */
} plan[STEPS_MAX];
static size_t steps;

static const struct {
    const char *name;
    int number;
} errors[] = {{"EMFILE", EMFILE}, {"ENFILE", ENFILE}, {"ENOMEM", ENOMEM}, {"ENOSPC", ENOSPC}, {"EAGAIN", EAGAIN},
              {"EPERM", EPERM},   {"ENOSYS", ENOSYS}, {"EBADF", EBADF},   {"EIO", EIO}};

static void take_step(const char *text, size_t length) {
    const char *colon = memchr(text, ':', length);
    struct step step = {.nth = 0};
    if (colon == NULL || steps == STEPS_MAX) return;
    const char *action = colon + 1, *end = text + length;
    const char *at = memchr(action, '@', (size_t)(end - action));
    size_t name = (size_t)(colon - text), word = (size_t)((at == NULL ? end : at) - action);
    if (name >= sizeof step.point || word >= sizeof step.action) return;
    memcpy(step.point, text, name);
    memcpy(step.action, action, word);
    if (at != NULL) step.nth = strtoul(at + 1, NULL, 10);
    plan[steps++] = step;
}

void fault_init(void) {
    const char *given = getenv("PAWL_FAULT");
    if (given == NULL) return;
    memset(plan, 0, sizeof plan);
    steps = 0;
    for (const char *at = given;; ) {
        size_t length = strcspn(at, ",");
        take_step(at, length);
        if (at[length] == 0) return;
        at += length + 1;
    }
}

static void act(const char *action) {
    if (strcmp(action, "exit") == 0) _exit(99);
    if (strcmp(action, "kill") == 0) raise(SIGKILL);
    if (strcmp(action, "abort") == 0) abort();
    if (strcmp(action, "segv") == 0) raise(SIGSEGV);
    if (strcmp(action, "stop") == 0) raise(SIGSTOP);
    if (strcmp(action, "sleep") == 0) poll(NULL, 0, 100);
    while (strcmp(action, "hang") == 0) poll(NULL, 0, -1);
}

static const char *due(const char *point) {
    for (size_t i = 0; i < steps; i++) {
        if (strcmp(plan[i].point, point) != 0) continue;
        plan[i].seen++;
        if (plan[i].nth == 0 || plan[i].nth == plan[i].seen) return plan[i].action;
    }
    return NULL;
}

void fault_at(const char *point) {
    const char *action = due(point);
    if (action != NULL) act(action);
}

int fault_error(const char *point) {
    const char *action = due(point);
    for (size_t i = 0; action != NULL && i < sizeof errors / sizeof errors[0]; i++) {
        if (strcmp(errors[i].name, action) != 0) continue;
        errno = errors[i].number;
        return errors[i].number;
    }
    if (action != NULL) act(action);
    return 0;
}
#else
/* ISO C forbids an empty translation unit. */
typedef int fault_points_are_compiled_out;
#endif
