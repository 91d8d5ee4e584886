/* caps.c - each probe does the thing once, and says why where it does not work. */
#include "caps.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <linux/magic.h>
#include <unistd.h>

#include "cgroup.h"
#include "json.h"
#include "sandbox.h"
#include "spawn.h"

#define ANY_OTHER_USER 61184 /* of the range that nobody is in for good, see file-hierarchy(7) of systemd */
#define EMPTY_WAIT_NS UINT64_C(1000000000)

static text out, why;

static void report(const char *name, bool works, const char *reason) {
    text_print(&out, "%s\"%s\":%s", out.length > 1 ? "," : "", name, works ? "true" : "false");
    if (works) return;
    text_print(&why, "%s\"%s\":", why.length > 1 ? "," : "", name);
    text_add_json(&why, reason, strlen(reason));
}

static void report_errno(const char *name, bool works) { report(name, works, works ? "" : strerror(errno)); }

static bool reap(const forked *child) {
    siginfo_t info;
    bool ended = waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED | __WALL) == 0;
    close(child->pidfd);
    return ended;
}

static void probe_processes(void) {
    int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    report_errno("pidfd", pidfd >= 0);
    if (pidfd >= 0) close(pidfd);

    uint64_t address = 0;
    bool has_address = prctl(PR_GET_TID_ADDRESS, &address, 0, 0, 0) == 0;
    forked child;
    int status = has_address ? spawn_fork(-1, false, &child) : -errno;
    if (status == 1) _exit(0);
    errno = -status;
    /* spawn_fork falls back by itself: whether clone3 did it shows in the call's own answer to nonsense. */
    bool clone3_there = syscall(SYS_clone3, NULL, (size_t)0) == -1 && errno == EINVAL;
    if (status == 0) reap(&child);
    report("clone3", status == 0 && clone3_there,
           status == 0 ? "the kernel has no clone3, or a filter forbids it" : strerror(-status));
    report("tid_address", has_address, "PR_GET_TID_ADDRESS needs a kernel with CONFIG_CHECKPOINT_RESTORE");

    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int high = fcntl(fd, F_DUPFD_CLOEXEC, 512);
    bool closed = high >= 0 && syscall(SYS_close_range, (unsigned)high, (unsigned)high, 0) == 0
        && fcntl(high, F_GETFD) < 0;
    report_errno("close_range", closed);
    if (fd >= 0) close(fd);
    report_errno("subreaper", prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
}

/* With a child in a leaf of its own: born there, then killed by cgroup.kill. */
static void probe_leaf(int leaf) {
    forked child;
    int status = spawn_fork(leaf, false, &child);
    if (status == 1) for (;;) pause();
    bool inside = status == 0 && cgroup_populated(leaf) == 1;
    report("into_cgroup", inside, status < 0 ? strerror(-status) : "the child was not born in the cgroup");
    int killed = faccessat(leaf, "cgroup.kill", W_OK, 0) == 0 ? cgroup_kill(leaf) : -errno;
    if (status == 0) {
        if (killed != 0 || !inside) kill(child.pid, SIGKILL);
        reap(&child);
    }
    uint64_t deadline = monotonic_ns() + EMPTY_WAIT_NS;
    while (cgroup_populated(leaf) == 1 && monotonic_ns() < deadline) usleep(500);
    report("cgroup_kill", killed == 0, killed == 0 ? "" : "cgroup.kill needs a kernel of 5.14 or later");
}

static void no_cgroup(const char *reason) {
    report("cgroup_writable", false, reason);
    report("into_cgroup", false, reason);
    report("cgroup_kill", false, reason);
}

static void probe_cgroup(const char *directory) {
    char path[4096], reason[256];
    struct statfs fs;
    if (directory == NULL) {
        no_cgroup("no cgroup directory was given");
        return;
    }
    if (statfs(directory, &fs) != 0 || fs.f_type != CGROUP2_SUPER_MAGIC) {
        no_cgroup("the directory is not in a cgroup v2 file system");
        return;
    }
    snprintf(path, sizeof path, "%s/pawl-probe-%d", directory, getpid());
    if (mkdir(path, 0755) != 0) {
        snprintf(reason, sizeof reason, "no cgroup can be made here: %s", strerror(errno));
        no_cgroup(reason);
        return;
    }
    report("cgroup_writable", true, "");
    int leaf = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (leaf >= 0) {
        probe_leaf(leaf);
        close(leaf);
    }
    /* The directory may be busy for a moment after its last process. */
    for (int i = 0; rmdir(path) != 0 && errno == EBUSY && i < 100; i++) usleep(1000);
}

/* Whether a child may become another user, as strict children of a host that is root do. */
static bool can_change_user(void) {
    forked child;
    siginfo_t info = {0};
    int status = spawn_fork(-1, false, &child);
    if (status == 1)
        _exit(setgroups(0, NULL) == 0 && setresgid(ANY_OTHER_USER, ANY_OTHER_USER, ANY_OTHER_USER) == 0 &&
                      setresuid(ANY_OTHER_USER, ANY_OTHER_USER, ANY_OTHER_USER) == 0 ? 0 : 1);
    if (status < 0) return false;
    bool ended = waitid(P_PIDFD, (id_t)child.pidfd, &info, WEXITED | __WALL) == 0;
    close(child.pidfd);
    return ended && info.si_code == CLD_EXITED && info.si_status == 0;
}

/* What profile strict needs. */
static void probe_sandbox(void) {
    int error = 0, abi = sandbox_landlock_abi(&error);
    bool other_user = geteuid() == 0 && can_change_user();
    bool scopes = abi >= SANDBOX_SCOPE_ABI, seccomp = sandbox_has_seccomp();
    char reason[128];
    snprintf(reason, sizeof reason, "no Landlock (%s): profile strict is refused", strerror(error));
    report("landlock", abi > 0, reason);
    report("seccomp", seccomp, "no system call filters: profile strict is refused");
    /* Only root can; that another host cannot is no shortcoming. */
    if (geteuid() == 0) report("other_user", other_user, "root may not change its user here: CAP_SETUID is missing");
    else text_print(&out, ",\"other_user\":false");
    report("landlock_scopes", scopes, other_user
        ? "Landlock before version 6 does not separate processes of one user; attempts in profile strict have users of "
          "their own, and local sockets without a file are only closed to those without the network"
        : "Landlock before version 6 (Linux 6.12) does not separate processes of one user: profile strict is refused to a "
          "host that is not root");
    text_print(&out, ",\"strict\":%s", abi > 0 && seccomp && (scopes || other_user) ? "true" : "false");
    text_print(&out, ",\"landlock_abi\":%d", abi);
}

int caps_probe(const char *cgroup) {
    text_add(&out, "{", 1);
    text_add(&why, "{", 1);
    probe_processes();
    probe_cgroup(cgroup);
    probe_sandbox();
    text_print(&out, ",\"why\":");
    text_add(&why, "}", 1);
    text_add(&out, why.bytes, why.length);
    text_add(&out, "}\n", 2);
    if (out.failed || fwrite(out.bytes, 1, out.length, stdout) != out.length || fflush(stdout) != 0) return 74;
    return 0;
}
