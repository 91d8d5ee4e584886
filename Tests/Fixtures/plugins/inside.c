/* looks at its own process, and tries things that a sandbox may forbid: {"do": NAME, "path": P, "pid": N, "number": N} */
#include "fixture.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const pawl_ext_args *args;
static char out[65536];
static size_t used;

__attribute__((format(printf, 1, 2))) static void add(const char *format, ...) {
    va_list list;
    va_start(list, format);
    int length = vsnprintf(out + used, sizeof out - used, format, list);
    va_end(list);
    if (length > 0) used += (size_t)length;
    if (used >= sizeof out) used = sizeof out - 1;
}

static void add_text(const char *text) {
    add("\"");
    for (; *text != 0; text++) {
        if (*text == '"' || *text == '\\') add("\\");
        if ((unsigned char)*text >= 32) add("%c", *text);
    }
    add("\"");
}

static void add_descriptors(void) {
    DIR *all = opendir("/proc/self/fd");
    const char *comma = "";
    if (all == NULL) return;
    for (struct dirent *entry; (entry = readdir(all)) != NULL;) {
        char target[256];
        if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(all)) continue;
        ssize_t length = readlinkat(dirfd(all), entry->d_name, target, sizeof target - 1);
        target[length < 0 ? 0 : length] = 0;
        add("%s\"%s\":", comma, entry->d_name);
        add_text(target);
        comma = ",";
    }
    closedir(all);
}

static void add_status(void) {
    char line[512], *value;
    const char *comma = "";
    FILE *status = fopen("/proc/self/status", "re");
    while (status != NULL && fgets(line, sizeof line, status) != NULL) {
        line[strcspn(line, "\n")] = 0;
        if ((value = strchr(line, ':')) == NULL) continue;
        *value++ = 0;
        add("%s\"%s\":", comma, line);
        add_text(value + strspn(value, "\t "));
        comma = ",";
    }
    if (status != NULL) fclose(status);
}

extern char **environ;

static int32_t look(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    static const struct { const char *name; int resource; } limits[] = {
        {"core", RLIMIT_CORE}, {"cpu", RLIMIT_CPU}, {"as", RLIMIT_AS}, {"fsize", RLIMIT_FSIZE},
        {"nofile", RLIMIT_NOFILE}, {"nproc", RLIMIT_NPROC}};
    char path[4096];
    struct stat status;
    used = 0;
    add("{\"fds\":{");
    add_descriptors();
    add("},\"status\":{");
    add_status();
    add("},\"environment\":[");
    for (char **entry = environ; *entry != NULL; entry++) {
        if (entry != environ) add(",");
        add_text(*entry);
    }
    add("],\"limits\":{");
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        struct rlimit limit;
        getrlimit((__rlimit_resource_t)limits[i].resource, &limit);
        add("%s\"%s\":[%lld,%lld]", i > 0 ? "," : "", limits[i].name, (long long)limit.rlim_cur, (long long)limit.rlim_max);
    }
    add("},\"cwd\":");
    add_text(getcwd(path, sizeof path) == NULL ? "" : path);
    memset(&status, 0, sizeof status);
    stat(".", &status);
    add(",\"cwd_mode\":%u,\"cwd_uid\":%u,\"uid\":%u,\"gid\":%u,\"session\":%d,\"group\":%d,\"pid\":%d,\"dumpable\":%d}",
        status.st_mode & 07777u, status.st_uid, getuid(), getgid(), getsid(0), getpgrp(), getpid(),
        prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
    return attempt->host->result_json(attempt, (pawl_str){out, used});
}

static int is(pawl_str word, const char *name) {
    return word.len == strlen(name) && memcmp(word.ptr, name, word.len) == 0;
}

static int close_all_well(int fd) {
    if (fd < 0) return -1;
    close(fd);
    return 0;
}

static int connect_local(const char *path, int abstract) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length >= sizeof to.sun_path - 1) length = sizeof to.sun_path - 2;
    memcpy(to.sun_path + (abstract ? 1 : 0), path, length);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    int result = connect(fd, (struct sockaddr *)&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1));
    int error = errno;
    close(fd);
    errno = error;
    return result;
}

static int connect_tcp(int port, int kind) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, kind | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    int result = connect(fd, (struct sockaddr *)&to, sizeof to);
    if (result == 0 && kind == SOCK_DGRAM) result = send(fd, "x", 1, 0) == 1 || errno == ECONNREFUSED ? 0 : -1;
    int error = errno;
    close(fd);
    errno = error;
    return result;
}

static void *nothing(void *context) { return context; }

/* The result of one attempted thing, errno with it. */
static long try_it(pawl_str what, const char *path, long pid, long number) {
    char bytes[256];
    if (is(what, "read")) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) return -1;
        ssize_t got = read(fd, bytes, sizeof bytes);
        int error = errno;
        close(fd);
        errno = error;
        return got;
    }
    if (is(what, "list")) {
        DIR *all = opendir(path);
        return all == NULL ? -1 : closedir(all);
    }
    if (is(what, "write")) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0) return -1;
        ssize_t put = write(fd, "0", 1);
        int error = errno;
        close(fd);
        errno = error;
        return put;
    }
    if (is(what, "truncate")) return truncate(path, 0);
    if (is(what, "cut")) return close_all_well(open(path, O_RDONLY | O_TRUNC | O_CLOEXEC));
    if (is(what, "chmod")) return chmod(path, 0600);
    if (is(what, "unlink")) return unlink(path);
    if (is(what, "mkdir")) return mkdir(path, 0700);
    if (is(what, "rename")) return rename("mine", path);
    if (is(what, "link")) return link(path, "linked");
    if (is(what, "tcp")) return connect_tcp((int)number, SOCK_STREAM);
    if (is(what, "udp")) return connect_tcp((int)number, SOCK_DGRAM);
    if (is(what, "local")) return connect_local(path, 0);
    if (is(what, "abstract")) return connect_local(path, 1);
    if (is(what, "pair")) {
        int ends[2];
        return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
    }
    if (is(what, "kill")) return kill((pid_t)pid, (int)number);
    if (is(what, "kill_child")) {
        pid_t child = fork();
        if (child == 0) for (;;) pause();
        if (child < 0 || kill(child, SIGKILL) != 0) return -1;
        return waitpid(child, NULL, 0) == child ? 0 : -1;
    }
    if (is(what, "exec")) {
        int status = system("/bin/true");
        return status;
    }
    if (is(what, "thread")) {
        pthread_t thread;
        errno = pthread_create(&thread, NULL, nothing, NULL);
        return errno == 0 ? pthread_join(thread, NULL) : -1;
    }
    if (is(what, "unshare_user")) return unshare(CLONE_NEWUSER);
    if (is(what, "clone_user")) {
        long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
        if (child == 0) _exit(0);
        return child;
    }
    if (is(what, "death_signal")) return prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
    if (is(what, "memory")) { /* another process's */
        struct { void *base; size_t length; } local = {bytes, 8}, remote = {bytes, 8};
        return syscall(SYS_process_vm_readv, pid, &local, 1, &remote, 1, 0);
    }
    if (is(what, "limits")) {
        struct rlimit limit = {0, 0};
        return prlimit((pid_t)pid, RLIMIT_CORE, &limit, NULL);
    }
    if (is(what, "nice")) return setpriority(PRIO_PROCESS, (id_t)pid, 19);
    if (is(what, "call")) return syscall(number, 0, 0, 0, 0, 0, 0);
    if (is(what, "become_root")) return setresuid(0, 0, 0);
    errno = EINVAL;
    return -2;
}

static int32_t attempt_it(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    pawl_str what, path = PAWL_STR("");
    int64_t pid = 0, number = 0;
    char name[4096];
    if (args->get_str(attempt, "do", &what) != PAWL_OK) return PAWL_E_INVALID_INPUT;
    if (args->get_str(attempt, "path", &path) == PAWL_E_INVALID_INPUT) return PAWL_E_INVALID_INPUT;
    if (args->get_int(attempt, "pid", -2, INT32_MAX, &pid) == PAWL_E_INVALID_INPUT) return PAWL_E_INVALID_INPUT;
    if (args->get_int(attempt, "number", 0, INT32_MAX, &number) == PAWL_E_INVALID_INPUT) return PAWL_E_INVALID_INPUT;
    snprintf(name, sizeof name, "%.*s", (int)path.len, path.ptr == NULL ? "" : path.ptr);
    errno = 0;
    long result = try_it(what, name, (long)pid, (long)number);
    used = 0;
    add("{\"result\":%ld,\"errno\":%d}", result, result < 0 ? errno : 0);
    return attempt->host->result_json(attempt, (pawl_str){out, used});
}

static const pawl_handler inside[] = {
    {.struct_size = sizeof(pawl_handler), .name = "inside.look", .run = look},
    {.struct_size = sizeof(pawl_handler), .name = "inside.try", .run = attempt_it}};
FIXTURE_DESCRIPTOR("inside", .flags = PAWL_PF_REUSABLE, .handlers = inside, .handler_count = 2)
FIXTURE_ENTRY(args = host->get_extension(host, PAWL_EXT_ARGS); if (args == NULL) return NULL;)
