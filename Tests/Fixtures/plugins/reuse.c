/* may serve one attempt after the other, and leaves behind whatever it is asked to */
#include "fixture.h"
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int reset_status, runs;

/* What a run finds; equal for every run unless something of the one before is left. */
static int32_t state(void *user, pawl_attempt *attempt, pawl_bytes args) {
    (void)user, (void)args;
    char text[4096], directory[1024] = "";
    mode_t mask = umask(0);
    umask(mask);
    sigset_t blocked;
    sigemptyset(&blocked);
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    struct sigaction action;
    sigaction(SIGUSR1, NULL, &action);
    if (getcwd(directory, sizeof directory) == NULL) return PAWL_E_INTERNAL;
    const char *mark = getenv("REUSE_MARK"), *run = getenv("PAWL_RUN_ID"), *path = getenv("PATH");
    snprintf(text, sizeof text,
             "{\"cwd\":\"%s\",\"umask\":%d,\"mark\":\"%s\",\"path\":\"%s\",\"run_id\":\"%s\",\"usr2_blocked\":%d,"
             "\"usr1_default\":%d,\"locale\":\"%s\",\"pid\":%d,\"cancelled\":%d,\"runs\":%d,\"tmpdir\":\"%s\"}",
             directory, (int)mask, mark == NULL ? "" : mark, path == NULL ? "" : path, run == NULL ? "" : run,
             sigismember(&blocked, SIGUSR2), action.sa_handler == SIG_DFL, setlocale(LC_ALL, NULL), (int)getpid(),
             attempt->host->is_cancelled(attempt), ++runs, getenv("TMPDIR") == NULL ? "" : getenv("TMPDIR"));
    return attempt->host->result_json(attempt, (pawl_str){text, strlen(text)});
}

static int32_t noop(void *user, pawl_attempt *attempt, pawl_bytes args) {
    (void)user, (void)attempt, (void)args;
    return PAWL_OK;
}

static void ignore(int number) { (void)number; }

static int32_t change_everything(void *user, pawl_attempt *attempt, pawl_bytes args) {
    (void)user, (void)attempt, (void)args;
    sigset_t usr2;
    sigemptyset(&usr2);
    sigaddset(&usr2, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &usr2, NULL);
    signal(SIGUSR1, ignore);
    umask(0777);
    if (chdir("/") != 0 || setenv("REUSE_MARK", "left", 1) != 0 || unsetenv("PATH") != 0) return PAWL_E_INTERNAL;
    if (setlocale(LC_ALL, "C.UTF-8") == NULL) return PAWL_E_INTERNAL;
    alarm(3600);
    return PAWL_OK;
}

static int32_t leak_descriptor(void *user, pawl_attempt *attempt, pawl_bytes args) {
    (void)user, (void)attempt, (void)args;
    return open("/dev/null", O_RDONLY | O_CLOEXEC) < 0 ? PAWL_E_LIMIT : PAWL_OK;
}

static void *sleep_on(void *context) {
    pawl_attempt *attempt = context;
    for (;;) {
        struct timespec moment = {0, 1000000};
        nanosleep(&moment, NULL);
        /* A late word of a run that is over. */
        attempt->host->log(attempt, PAWL_LOG_INFO, PAWL_STR("late"), PAWL_NO_STR);
    }
    return NULL;
}

static int32_t leak_thread(void *user, pawl_attempt *attempt, pawl_bytes args) {
    (void)user, (void)args;
    pthread_t thread;
    return pthread_create(&thread, NULL, sleep_on, attempt) == 0 ? PAWL_OK : PAWL_E_LIMIT;
}

static void *end_soon(void *context) {
    (void)context;
    struct timespec moment = {0, 3000000};
    nanosleep(&moment, NULL);
    return NULL;
}

/* Ends its thread, but a little late. */
static int32_t short_thread(void *user, pawl_attempt *attempt, pawl_bytes args) {
    (void)user, (void)attempt, (void)args;
    pthread_t thread;
    if (pthread_create(&thread, NULL, end_soon, NULL) != 0) return PAWL_E_LIMIT;
    pthread_detach(thread);
    return PAWL_OK;
}

static int32_t grow(void *user, pawl_attempt *attempt, pawl_bytes args) {
    (void)user, (void)attempt, (void)args;
    const size_t bytes = (size_t)24 << 20;
    char *kept = malloc(bytes);
    if (kept == NULL) return PAWL_E_LIMIT;
    for (size_t i = 0; i < bytes; i += 4096) ((volatile char *)kept)[i] = 1;
    return PAWL_OK;
}

static int32_t leave_process(void *user, pawl_attempt *attempt, pawl_bytes args) {
    (void)user, (void)attempt, (void)args;
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        if (fork() != 0) _exit(0); /* the grandchild is nobody's child any more */
        for (;;) pause();
    }
    return pid > 0 ? PAWL_OK : PAWL_E_LIMIT;
}

/* Its child has ended, but was not waited for. */
static int32_t leave_zombie(void *user, pawl_attempt *attempt, pawl_bytes args) {
    (void)user, (void)attempt, (void)args;
    pid_t pid = fork();
    if (pid == 0) _exit(0);
    siginfo_t info; /* until it is one, and leave it */
    return pid > 0 && waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0 ? PAWL_OK : PAWL_E_LIMIT;
}

static int32_t reset(void *user) {
    (void)user;
    return reset_status;
}

static int32_t reset_will_fail(void *user, pawl_attempt *attempt, pawl_bytes args) {
    (void)user, (void)attempt, (void)args;
    reset_status = PAWL_E_FAILED;
    return PAWL_OK;
}

static int32_t never_reset(void *user) {
    (void)user;
    while (pause() != 0) {}
    return PAWL_OK;
}

/* Writes through stdio without flushing, and to both pipes: {"text":"...","lines":n}. */
static int32_t print(void *user, pawl_attempt *attempt, pawl_bytes args) {
    (void)user;
    static char text[65536];
    int64_t lines = 1;
    const pawl_ext_args *get = attempt->host->get_extension(attempt->host, PAWL_EXT_ARGS);
    pawl_str word = PAWL_NO_STR;
    (void)args;
    if (get->get_str(attempt, "text", &word) != PAWL_OK) return PAWL_E_INVALID_INPUT;
    get->get_int(attempt, "lines", 1, 100000, &lines);
    int length = snprintf(text, sizeof text, "%.*s", (int)word.len, word.ptr);
    if (length < 0) return PAWL_E_INTERNAL;
    for (int64_t i = 0; i < lines; i++) printf("%s\n", text);
    fprintf(stderr, "%s\n", text);
    return PAWL_OK;
}

static int32_t wait_for_cancel(void *user, pawl_attempt *attempt, pawl_bytes args) {
    (void)user, (void)args;
    attempt->host->log(attempt, PAWL_LOG_INFO, PAWL_STR("waiting"), PAWL_NO_STR);
    while (!attempt->host->is_cancelled(attempt)) {
        struct timespec moment = {0, 1000000};
        nanosleep(&moment, NULL);
    }
    return PAWL_E_CANCELLED;
}

/* Two processes return from run(): the copy at once, the handler's own when it is cancelled. */
static int32_t fork_and_wait(void *user, pawl_attempt *attempt, pawl_bytes args) {
    pid_t copy = fork();
    if (copy <= 0) return copy == 0 ? PAWL_OK : PAWL_E_INTERNAL;
    return wait_for_cancel(user, attempt, args);
}

static int32_t spin(void *user, pawl_attempt *attempt, pawl_bytes args) {
    (void)user, (void)args;
    attempt->host->log(attempt, PAWL_LOG_INFO, PAWL_STR("spinning"), PAWL_NO_STR);
    for (volatile bool always = true; always;) {}
    return PAWL_OK;
}

static int32_t crash(void *user, pawl_attempt *attempt, pawl_bytes args) {
    (void)user, (void)attempt, (void)args;
    abort();
}

static int32_t work(void *user, pawl_attempt *attempt, pawl_bytes args) {
    (void)user, (void)attempt, (void)args;
    struct timespec began, now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &began);
    do clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    while ((now.tv_sec - began.tv_sec) * 1000 + (now.tv_nsec - began.tv_nsec) / 1000000 < 50);
    return PAWL_OK;
}

static int32_t litter(void *user, pawl_attempt *attempt, pawl_bytes args) {
    (void)user, (void)attempt, (void)args;
    for (const char *name = "abc"; *name != 0; name++) {
        char file[2] = {*name, 0};
        int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0) return PAWL_E_INTERNAL;
        close(fd);
    }
    return PAWL_OK;
}

#define HANDLER(n, f, r) {.struct_size = sizeof(pawl_handler), .name = "reuse." n, .run = f, .reset = r}
static const pawl_handler all[] = {
    HANDLER("state", state, NULL), HANDLER("noop", noop, reset), HANDLER("change", change_everything, NULL),
    HANDLER("leak_descriptor", leak_descriptor, NULL), HANDLER("leak_thread", leak_thread, NULL),
    HANDLER("short_thread", short_thread, NULL), HANDLER("grow", grow, NULL),
    HANDLER("leave_process", leave_process, NULL), HANDLER("leave_zombie", leave_zombie, NULL),
    HANDLER("reset_fails", reset_will_fail, reset), HANDLER("reset_hangs", noop, never_reset),
    HANDLER("print", print, NULL), HANDLER("wait", wait_for_cancel, NULL), HANDLER("spin", spin, NULL),
    HANDLER("fork_and_wait", fork_and_wait, NULL),
    HANDLER("crash", crash, NULL), HANDLER("work", work, NULL),
    HANDLER("litter", litter, NULL)};
FIXTURE_DESCRIPTOR("reuse", .handlers = all, .handler_count = sizeof all / sizeof all[0],
                   .flags = PAWL_PF_REUSABLE)
FIXTURE_ENTRY((void)fixture_run;)
