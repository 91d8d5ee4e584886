/* sandbox.h - profile strict: what a child may reach of the machine. */
#ifndef PAWL_SANDBOX_PROFILE_H
#define PAWL_SANDBOX_PROFILE_H

#include "pawl_sandbox.h"
#include "spawn.h"

/* A request, taken apart. Paths point into the frame's text. */
typedef struct sandbox {
    pawl_sandbox head;
    struct {
        uint32_t access;
        uint32_t length;
        const char *path; /* not terminated */
    } paths[PAWL_SANDBOX_PATHS_MAX];
} sandbox;

/* Takes the sandbox text of a SPAWN frame apart. False: it is malformed. */
bool sandbox_parse(const char *text, size_t length, sandbox *out);

/* Child, before its second thread: becomes another user if so asked, gives up every right, and puts Landlock and the
 * system call filter over itself. `image`: the plugin's file, readable. Ends the process with PAWL_EXIT_SANDBOX where
 * anything of it fails: never weaker than asked for. `keeper` as in child_setup. */
void sandbox_enter(const sandbox *s, const char *scratch, const char *image, pid_t keeper);

/* Landlock's version here; 0: none, and *error (errno) says why. */
int sandbox_landlock_abi(int *error);
/* Whether the kernel takes system call filters. */
bool sandbox_has_seccomp(void);

/* The oldest Landlock that separates processes of one user, by signals and abstract sockets. With users of their own any
 * does. */
#define SANDBOX_SCOPE_ABI 6

#endif
