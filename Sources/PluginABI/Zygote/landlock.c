/* landlock.c - the three system calls and their versions; the constants are of linux/landlock.h, of which Debian 12 has an
 * old one.
 *
 * What version n can forbid is forbidden; what it cannot (below 3 cutting files off, below 6 signals) is the business of
 * the system call filter, and of whoever decides whether that is enough. */
#include "landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fault.h"

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

#define CREATE_RULESET_VERSION 1u
#define RULE_PATH_BENEATH 1

#define FS_EXECUTE (UINT64_C(1) << 0)
#define FS_WRITE_FILE (UINT64_C(1) << 1)
#define FS_READ_FILE (UINT64_C(1) << 2)
#define FS_READ_DIR (UINT64_C(1) << 3)
#define FS_ABI1 ((UINT64_C(1) << 13) - 1) /* and removing and making each kind of file */
#define FS_REFER (UINT64_C(1) << 13)
#define FS_TRUNCATE (UINT64_C(1) << 14)
#define FS_IOCTL_DEV (UINT64_C(1) << 15)
#define NET_BIND_TCP (UINT64_C(1) << 0)
#define NET_CONNECT_TCP (UINT64_C(1) << 1)
#define SCOPE_ABSTRACT_UNIX_SOCKET (UINT64_C(1) << 0)
#define SCOPE_SIGNAL (UINT64_C(1) << 1)

/* What may be said of a file that is no directory. */
#define OF_FILES (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)

struct ruleset {
    uint64_t handled_fs, handled_net, scoped;
};

struct path_beneath {
    uint64_t allowed;
    int32_t parent;
} __attribute__((packed));

int landlock_abi(void) {
    long version = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, CREATE_RULESET_VERSION);
    return version > 0 ? (int)version : 0;
}

static uint64_t known(int abi) {
    uint64_t all = FS_ABI1;
    if (abi >= 2) all |= FS_REFER;
    if (abi >= 3) all |= FS_TRUNCATE;
    if (abi >= 5) all |= FS_IOCTL_DEV;
    return all;
}

int landlock_begin(int abi, bool network) {
    struct ruleset rules = {.handled_fs = known(abi)};
    size_t size = sizeof rules.handled_fs;
    if (fault_error("child.landlock") != 0) return -1;
    if (abi >= 4) {
        if (!network) rules.handled_net = NET_BIND_TCP | NET_CONNECT_TCP;
        size = offsetof(struct ruleset, scoped);
    }
    if (abi >= 6) {
        rules.scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL;
        size = sizeof rules;
    }
    return (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0u);
}

static bool allow(int rules, int abi, const char *path, uint64_t access) {
    struct stat status;
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0) return false;
    bool done = fstat(fd, &status) == 0;
    if (done) {
        struct path_beneath rule = {.allowed = access & known(abi), .parent = fd};
        if (!S_ISDIR(status.st_mode)) rule.allowed &= OF_FILES;
        done = syscall(SYS_landlock_add_rule, rules, RULE_PATH_BENEATH, &rule, 0u) == 0;
    }
    int error = errno;
    close(fd);
    errno = error;
    return done;
}

bool landlock_allow(int rules, int abi, const char *path, bool writable) {
    return allow(rules, abi, path, writable ? known(abi) & ~FS_IOCTL_DEV : FS_EXECUTE | FS_READ_FILE | FS_READ_DIR);
}

bool landlock_allow_device(int rules, int abi, const char *path) {
    return allow(rules, abi, path, FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE | FS_IOCTL_DEV);
}

bool landlock_restrict(int rules) {
    bool done = syscall(SYS_landlock_restrict_self, rules, 0u) == 0;
    int error = errno;
    close(rules);
    errno = error;
    return done;
}
