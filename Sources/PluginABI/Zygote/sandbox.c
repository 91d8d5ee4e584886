/* sandbox.c - profile strict, in this order: the rules of Landlock (which name files that only the old user may reach), the
 * new user, Landlock, the system call filter. Each step is in the way of those before it. */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "call_filter.h"
#include "fault.h"
#include "landlock.h"

static _Noreturn void refuse(const char *what, const char *why) {
    char line[512];
    snprintf(line, sizeof line, PAWL_SANDBOX_COMPLAINT "%s: %s", what, why);
    complain(line);
    _exit(PAWL_EXIT_SANDBOX);
}

bool sandbox_parse(const char *text, size_t length, sandbox *out) {
    if (length < sizeof out->head) return false;
    memcpy(&out->head, text, sizeof out->head);
    if (out->head.profile != PAWL_SANDBOX_STRICT || (out->head.flags & ~PAWL_SANDBOX_NETWORK) != 0) return false;
    if (out->head.path_count > PAWL_SANDBOX_PATHS_MAX || out->head.reserved != 0) return false;
    bool same = out->head.uid == PAWL_SANDBOX_SAME;
    if (same != (out->head.gid == PAWL_SANDBOX_SAME) || out->head.uid == 0 || out->head.gid == 0) return false;
    size_t at = sizeof out->head;
    for (uint32_t i = 0; i < out->head.path_count; i++) {
        pawl_sandbox_path path;
        if (length - at < sizeof path) return false;
        memcpy(&path, text + at, sizeof path);
        at += sizeof path;
        if (path.length == 0 || path.length >= PATH_MAX || path.length > length - at || text[at] != '/') return false;
        if (path.access != PAWL_SANDBOX_READ && path.access != PAWL_SANDBOX_WRITE) return false;
        if (memchr(text + at, 0, path.length) != NULL) return false;
        out->paths[i].access = path.access;
        out->paths[i].length = path.length;
        out->paths[i].path = text + at;
        at += path.length;
    }
    return at == length;
}

/* Of the system, where it has them. */
static const char *const system_paths[] = {
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt", "/proc", "/sys/devices/system/cpu"};
static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"};
/* Where /etc/resolv.conf often points to. */
static const char *const network_paths[] = {"/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager/resolv.conf"};

static void allow_system(int rules, int abi, const char *path) {
    if (!landlock_allow(rules, abi, path, false) && errno != ENOENT) refuse(path, strerror(errno));
}

static int make_rules(const sandbox *s, int abi, const char *scratch, const char *image) {
    bool network = (s->head.flags & PAWL_SANDBOX_NETWORK) != 0;
    int rules = landlock_begin(abi, network);
    if (rules < 0) refuse("Landlock", strerror(errno));
    for (size_t i = 0; i < sizeof system_paths / sizeof system_paths[0]; i++) allow_system(rules, abi, system_paths[i]);
    for (size_t i = 0; network && i < sizeof network_paths / sizeof network_paths[0]; i++)
        allow_system(rules, abi, network_paths[i]);
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++)
        if (!landlock_allow_device(rules, abi, devices[i]) && errno != ENOENT) refuse(devices[i], strerror(errno));
    /* The store may have lost it since; what is loaded stays. */
    allow_system(rules, abi, image);
    if (scratch[0] != 0 && !landlock_allow(rules, abi, scratch, true)) refuse(scratch, strerror(errno));
    for (uint32_t i = 0; i < s->head.path_count; i++) {
        char path[PATH_MAX];
        memcpy(path, s->paths[i].path, s->paths[i].length);
        path[s->paths[i].length] = 0;
        if (!landlock_allow(rules, abi, path, s->paths[i].access == PAWL_SANDBOX_WRITE))
            refuse(path, strerror(errno));
    }
    return rules;
}

/* Nothing that is executed may ever get a right back. Takes root; others are bound by no_new_privs alone. */
static void bound_rights(void) {
    for (unsigned long right = 0; right < 64; right++)
        if (prctl(PR_CAPBSET_DROP, right, 0, 0, 0) != 0 && errno == EINVAL) break;
}

/* No right that the kernel knows. */
static void give_up_rights(void) {
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}, {0}};
    if (syscall(SYS_capset, &head, none) != 0) refuse("giving up rights", strerror(errno));
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); /* already empty with no permitted ones; old kernels lack it */
}

static void change_user(const sandbox *s, const char *scratch, pid_t keeper) {
    uid_t uid = s->head.uid;
    gid_t gid = s->head.gid;
    /* So that /dev/stdout and /dev/stderr can be opened. */
    if (fchown(STDOUT_FILENO, uid, gid) != 0 || fchown(STDERR_FILENO, uid, gid) != 0)
        refuse("handing over the output", strerror(errno));
    if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0)
        refuse("another user", strerror(errno));
    /* Changing the user cleared both. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0)
        refuse("another user", strerror(errno));
    if (getppid() != keeper) _exit(EXIT_HOST_GONE);
    if (scratch[0] != 0 && faccessat(AT_FDCWD, scratch, R_OK | W_OK | X_OK, AT_EACCESS) != 0) {
        char why[256];
        snprintf(why, sizeof why, "%s; every directory above it must be searchable by others (chmod o+x)",
                 strerror(errno));
        refuse(scratch, why);
    }
}

/* A network without anybody else in it, where the kernel lets us. Libraries want a socket of the Internet to talk to
 * themselves: Swift's Foundation waits for ever for a process that it has started without one. */
static bool enter_own_network(void) {
    struct ifreq loopback = {.ifr_name = "lo"};
    if (unshare(CLONE_NEWNET) != 0) return false;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return true;
    loopback.ifr_flags = IFF_UP;
    /* Down, it is a network without even that. */
    if (ioctl(fd, SIOCSIFFLAGS, &loopback) != 0) complain("pawl: the loopback device of the sandbox stays down");
    close(fd);
    return true;
}

void sandbox_enter(const sandbox *s, const char *scratch, const char *image, pid_t keeper) {
    int error = 0, abi = sandbox_landlock_abi(&error);
    bool own_user = s->head.uid != PAWL_SANDBOX_SAME;
    if (abi == 0) refuse("the kernel has no Landlock", strerror(error));
    if (!own_user && abi < SANDBOX_SCOPE_ABI)
        refuse("Landlock is too old to separate processes of one user", "it takes Linux 6.12, or a host that is root");
    int rules = make_rules(s, abi, scratch, image);
    bool network = (s->head.flags & PAWL_SANDBOX_NETWORK) != 0;
    bool loopback = !network && enter_own_network();
    bound_rights();
    if (own_user) change_user(s, scratch, keeper);
    give_up_rights();
    if (!landlock_restrict(rules)) refuse("Landlock", strerror(errno));
    const call_filter filter = {.network = network, .loopback = loopback, .own_user = own_user,
                                .cuts_files = abi < 3, .self = getpid()};
    if (!call_filter_enter(&filter)) refuse("the system call filter", strerror(errno));
}

int sandbox_landlock_abi(int *error) {
    int abi = landlock_abi();
    *error = abi > 0 ? 0 : errno;
    return abi;
}

bool sandbox_has_seccomp(void) { return call_filter_is_there(); }
