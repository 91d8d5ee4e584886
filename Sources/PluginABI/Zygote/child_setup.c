/* child_setup.c - one step after the other, system calls only. */
#include "child_setup.h"

#include "environment.h"
#include "fault.h"
#include "marker.h"
#include "sandbox.h"
#include "zygote_state.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LAST_SIGNAL 31 /* real-time signals beyond are reset by nobody but those who set them: glibc uses two itself */

static _Noreturn void setup_fails(const char *step) {
    char line[256];
    snprintf(line, sizeof line, "pawl: cannot set up the child: %s: %s", step, strerror(errno));
    complain(line);
    _exit(EXIT_SETUP);
}

void signals_to_default(void) {
    struct sigaction standard;
    memset(&standard, 0, sizeof standard);
    standard.sa_handler = SIG_DFL;
    for (int signal = 1; signal <= LAST_SIGNAL; signal++)
        if (signal != SIGKILL && signal != SIGSTOP) sigaction(signal, &standard, NULL);
    standard.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &standard, NULL);
}

static void place_descriptors(const spawn_request *r) {
    /* The sources are all at FIRST_FREE_FD and above, so no step destroys the source of a later one. Data and crash are
     * not for programs that the handler starts. */
    if (fault_error("child.dup") != 0 || dup2(r->out, STDOUT_FILENO) < 0 || dup2(r->err, STDERR_FILENO) < 0 ||
        dup3(r->data, PAWL_CHILD_FD_DATA, O_CLOEXEC) < 0 || dup3(r->crash, PAWL_CHILD_FD_CRASH, O_CLOEXEC) < 0)
        setup_fails("descriptors");
    if (syscall(SYS_close_range, PAWL_CHILD_FD_CRASH + 1, ~0u, 0) != 0) {
        long limit = sysconf(_SC_OPEN_MAX);
        for (int fd = PAWL_CHILD_FD_CRASH + 1; fd < limit; fd++) close(fd);
    }
}

static void limit(int resource, rlim_t soft, rlim_t hard, const char *name) {
    struct rlimit was;
    if (getrlimit((__rlimit_resource_t)resource, &was) != 0) setup_fails(name);
    struct rlimit now = {soft < hard ? soft : hard, hard};
    if (fault_error("child.setrlimit") != 0) setup_fails(name);
    if (setrlimit((__rlimit_resource_t)resource, &now) == 0) return;
    /* A hard limit is raised with CAP_SYS_RESOURCE only, which root in a container may lack: what the host may not have,
     * its children cannot be given. */
    if (errno != EPERM) setup_fails(name);
    if (now.rlim_max > was.rlim_max) now.rlim_max = was.rlim_max;
    if (now.rlim_cur > now.rlim_max) now.rlim_cur = now.rlim_max;
    if (setrlimit((__rlimit_resource_t)resource, &now) != 0) setup_fails(name);
}

static void set_limits(const pawl_c_spawn *l, bool own_user) {
    limit(RLIMIT_CORE, 0, 0, "RLIMIT_CORE");
    if (l->cpu_ms > 0) {
        rlim_t seconds = (rlim_t)((l->cpu_ms + 999) / 1000);
        limit(RLIMIT_CPU, seconds, seconds + 1, "RLIMIT_CPU"); /* SIGXCPU, then a second to end by itself */
    }
    if (l->memory_bytes > 0) limit(RLIMIT_AS, (rlim_t)l->memory_bytes, (rlim_t)l->memory_bytes, "RLIMIT_AS");
    if (l->file_bytes > 0) limit(RLIMIT_FSIZE, (rlim_t)l->file_bytes, (rlim_t)l->file_bytes, "RLIMIT_FSIZE");
    if (l->open_files > 0) limit(RLIMIT_NOFILE, l->open_files, l->open_files, "RLIMIT_NOFILE");
    /* It counts all processes of the user, threads included, and does not bind root. */
    if (l->processes > 0 && (own_user || geteuid() != 0))
        limit(RLIMIT_NPROC, l->processes, l->processes, "RLIMIT_NPROC");
    if (l->nice != 0) {
        errno = 0;
        /* A refused rise of priority is no reason to refuse the attempt. */
        if (nice(l->nice) == -1 && errno != 0 && errno != EPERM && errno != EACCES) setup_fails("niceness");
    }
}

/* The host's helper may look at this process where the machine lets only parents do that (Yama). Unknown without it. */
static void let_host_look(void) { prctl(PR_SET_PTRACER, (unsigned long)z.hello.expected_ppid, 0, 0, 0); }

static void enter_sandbox(const spawn_request *r, pid_t keeper) {
    static sandbox wanted;
    fault_at("child.sandbox");
    if (r->limits.sandbox_length == 0) return;
    if (!sandbox_parse(r->sandbox, r->limits.sandbox_length, &wanted)) {
        errno = EBADMSG;
        setup_fails("sandbox");
    }
    sandbox_enter(&wanted, r->directory, z.path == NULL ? "" : z.path, keeper);
}

/* Whether the child becomes another user; a malformed request ends it later. */
static bool has_own_user(const spawn_request *r) {
    pawl_sandbox head;
    if (r->limits.sandbox_length < sizeof head) return false;
    memcpy(&head, r->sandbox, sizeof head);
    return head.uid != PAWL_SANDBOX_SAME;
}

void child_setup(const spawn_request *r, pid_t keeper) {
    fault_at("child.born");
    /* The keeper's death is the child's. It may have died before this call; then the parent is another already. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) setup_fails("PDEATHSIG");
    if (getppid() != keeper) _exit(EXIT_HOST_GONE);
    if (setsid() < 0 && errno != EPERM) setup_fails("session");
    fault_at("child.session");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) setup_fails("no_new_privs");
    let_host_look();
    signals_to_default();
    place_descriptors(r);
    fault_at("child.descriptors");
    set_limits(&r->limits, has_own_user(r));
    fault_at("child.limits");
    if (!environment_base(r->environment, r->limits.environment_length)) setup_fails("environment");
    marker_write(r->environment, r->limits.environment_length);
    fault_init();
    umask(022);
    const char *directory = r->directory[0] != 0 ? r->directory : "/";
    if (fault_error("child.chdir") != 0 || chdir(directory) != 0) setup_fails(directory);
    fault_at("child.environment");
    enter_sandbox(r, keeper);
}
