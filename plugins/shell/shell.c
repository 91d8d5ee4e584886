/* shell.c - shell.exec: runs a program, without a shell. What it writes becomes the run's log; how it exits, the outcome.
 *
 * The program is the leader of a process group of its own, which a cancellation ends: SIGTERM first, SIGKILL after the
 * grace that the args give. The host ends whatever of it should be left. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common/author.h"

#define ARGUMENTS_MAX 4096
#define LINE_MAX_BYTES (60u << 10) /* under the 64 KiB of a log line; longer ones are split */
#define TAIL_MAX (64u << 10)

extern char **environ;

typedef struct options {
    const char **argv, **env;
    size_t argc, env_count;
    pawl_str directory, input;
    int32_t clean_env;
    int64_t grace_ms;
    const char **success; /* exit codes besides 0 that are fine, as texts */
    size_t success_count;
    int64_t success_codes[16];
} options;

/* One of the program's two outputs. */
typedef struct stream {
    int fd;
    int32_t level;
    char line[LINE_MAX_BYTES];
    size_t filled;
    uint64_t bytes, lines;
    text tail; /* the last bytes */
} stream;

static void options_free(options *o) {
    free(o->argv);
    free(o->env);
}

/* "exit_codes": an array of numbers, read from its JSON text since the reader of args knows arrays of texts only. */
static int32_t read_codes(pawl_attempt *attempt, options *o) {
    pawl_str json = PAWL_NO_STR;
    int32_t status = args->get_json(attempt, "success_codes", &json);
    if (status != PAWL_OK) return status;
    const char *must = "must be an array of at most 16 whole numbers from 0 to 255";
    if (json.len < 2 || json.ptr[0] != '[') return wrong(attempt, "success_codes", must);
    size_t at = 1;
    while (at < json.len && strchr(" \t\r\n", json.ptr[at]) != NULL) at++;
    if (json.ptr[at] == ']') return PAWL_OK;
    for (;;) {
        int64_t code = 0;
        size_t digits = 0;
        while (at < json.len && strchr(" \t\r\n", json.ptr[at]) != NULL) at++;
        for (; at < json.len && json.ptr[at] >= '0' && json.ptr[at] <= '9' && digits < 4; digits++)
            code = code * 10 + (json.ptr[at++] - '0');
        while (at < json.len && strchr(" \t\r\n", json.ptr[at]) != NULL) at++;
        if (digits == 0 || code > 255 || o->success_count == 16 || at >= json.len)
            return wrong(attempt, "success_codes", must);
        o->success_codes[o->success_count++] = code;
        if (json.ptr[at] == ']') return PAWL_OK;
        if (json.ptr[at++] != ',') return wrong(attempt, "success_codes", must);
    }
}

static int32_t options_read(pawl_attempt *attempt, options *o) {
    static const char *const known[] = {"argv", "env", "clean_env", "directory", "stdin", "success_codes", "grace_ms"};
    o->grace_ms = 5000;
    TRY(args->only(attempt, known, sizeof known / sizeof known[0]));
    TRY(read_list(attempt, "argv", ARGUMENTS_MAX, &o->argv, &o->argc));
    if (o->argc == 0 || o->argv[0][0] == 0) return wrong(attempt, "argv", "must have the program as its first element");
    TRY(read_list(attempt, "env", ARGUMENTS_MAX, &o->env, &o->env_count));
    for (size_t i = 0; i < o->env_count; i++) {
        const char *equals = strchr(o->env[i], '=');
        if (equals == NULL || equals == o->env[i]) return wrong(attempt, "env", "must hold texts of the form NAME=value");
    }
    TRY(args->get_bool(attempt, "clean_env", &o->clean_env));
    TRY(read_path(attempt, "directory", 0, &o->directory));
    TRY(args->get_str(attempt, "stdin", &o->input));
    TRY(read_codes(attempt, o));
    TRY(args->get_int(attempt, "grace_ms", 0, 600000, &o->grace_ms));
    return PAWL_OK;
}

/* The child's environment: its own, unless it is to be clean, under what was given. Free the list, not its texts. */
static char **environment_of(const options *o) {
    size_t own = 0;
    if (!o->clean_env) while (environ[own] != NULL) own++;
    char **list = calloc(own + o->env_count + 1, sizeof *list);
    size_t count = 0;
    if (list == NULL) return NULL;
    for (size_t i = 0; i < own + o->env_count; i++) {
        const char *entry = i < own ? environ[i] : o->env[i - own];
        const char *equals = strchr(entry, '=');
        size_t name = equals == NULL ? strlen(entry) : (size_t)(equals - entry) + 1, place = 0;
        while (place < count && strncmp(list[place], entry, name) != 0) place++;
        list[place] = (char *)(uintptr_t)entry;
        if (place == count) count++;
    }
    return list;
}

static void tell_line(pawl_attempt *attempt, stream *s) {
    if (s->filled > 0 && s->line[s->filled - 1] == '\r') s->filled--;
    attempt->host->log(attempt, s->level, (pawl_str){s->line, s->filled}, PAWL_NO_STR);
    attempt->host->advance(attempt, 1);
    s->filled = 0;
    s->lines++;
}

static void keep_tail(text *tail, const char *bytes, size_t length) {
    text_put(tail, bytes, length);
    if (tail->failed || tail->length <= 2 * TAIL_MAX) return;
    memmove(tail->bytes, tail->bytes + tail->length - TAIL_MAX, TAIL_MAX);
    tail->length = TAIL_MAX;
}

/* What is there now. 0: the stream is at its end. */
static int read_stream(pawl_attempt *attempt, stream *s) {
    char bytes[16384];
    ssize_t got = read(s->fd, bytes, sizeof bytes);
    if (got < 0) return errno == EINTR || errno == EAGAIN;
    if (got == 0) {
        if (s->filled > 0) tell_line(attempt, s);
        return 0;
    }
    s->bytes += (uint64_t)got;
    keep_tail(&s->tail, bytes, (size_t)got);
    for (ssize_t i = 0; i < got; i++) {
        if (bytes[i] == '\n') tell_line(attempt, s);
        else {
            s->line[s->filled++] = bytes[i];
            if (s->filled == LINE_MAX_BYTES) tell_line(attempt, s);
        }
    }
    return 1;
}

typedef struct program {
    pid_t pid;
    int pidfd, input;
    stream out, err;
    int status;
    int cancelled;
} program;

static int32_t start(pawl_attempt *attempt, const options *o, program *p) {
    int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1}, error = 0;
    char **environment = environment_of(o);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    if (environment == NULL) return fail_with(attempt, "out_of_memory", PAWL_RETRY_BY_POLICY, "out of memory");
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) error = errno;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    sigemptyset(&none);
    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    if (o->directory.len > 0) posix_spawn_file_actions_addchdir_np(&actions, o->directory.ptr);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, err[1], 2);
    if (error == 0)
        error = posix_spawnp(&p->pid, o->argv[0], &actions, &attributes, (char *const *)(uintptr_t)o->argv, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    free(environment);
    close(in[0]);
    close(out[1]);
    close(err[1]);
    p->input = in[1];
    p->out.fd = out[0];
    p->err.fd = err[0];
    if (error != 0) {
        p->pid = 0;
        return fail_with(attempt, "exec", error == ENOENT || error == EACCES || error == ENOEXEC ? PAWL_RETRY_NEVER : PAWL_RETRY_BY_POLICY,
                         "cannot run %s%s%s: %s", o->argv[0], o->directory.len > 0 ? " in " : "",
                         o->directory.len > 0 ? o->directory.ptr : "", strerror(error));
    }
    fcntl(p->input, F_SETFL, O_NONBLOCK);
    fcntl(p->out.fd, F_SETFL, O_NONBLOCK);
    fcntl(p->err.fd, F_SETFL, O_NONBLOCK);
    p->pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
    return PAWL_OK;
}

static void drop(int *fd) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

/* Feeds and listens until the program has ended and its outputs are at their ends, or half a second behind its end: a child of
 * its own that goes on in the background may hold them open for ever. */
static void attend(pawl_attempt *attempt, const options *o, program *p) {
    const pawl_host *host = attempt->host;
    size_t fed = 0;
    int64_t kill_at = INT64_MAX, listen_until = INT64_MAX;
    int ended = 0;
    while (!ended || p->out.fd >= 0 || p->err.fd >= 0) {
        int64_t now = host->now_ns(), next = kill_at < listen_until ? kill_at : listen_until;
        if (now >= listen_until) break;
        if (now >= kill_at) {
            kill(-p->pid, SIGKILL);
            kill_at = INT64_MAX;
            continue;
        }
        int wait_ms = next == INT64_MAX ? -1 : (int)((next - now) / 1000000) + 1;
        /* Without a descriptor of the process (an old kernel) its end is looked for. */
        if (p->pidfd < 0 && !ended && (wait_ms < 0 || wait_ms > 20)) wait_ms = 20;
        struct pollfd fds[5] = {
            {.fd = p->out.fd, .events = POLLIN}, {.fd = p->err.fd, .events = POLLIN},
            {.fd = fed < o->input.len ? p->input : -1, .events = POLLOUT},
            {.fd = p->cancelled ? -1 : host->cancel_fd(attempt), .events = POLLIN},
            {.fd = ended ? -1 : p->pidfd, .events = POLLIN}};
        if (fed >= o->input.len) drop(&p->input);
        if (poll(fds, 5, wait_ms) < 0 && errno != EINTR) break;
        if (fds[0].revents != 0 && !read_stream(attempt, &p->out)) drop(&p->out.fd);
        if (fds[1].revents != 0 && !read_stream(attempt, &p->err)) drop(&p->err.fd);
        if (fds[2].revents != 0) {
            ssize_t put = write(p->input, o->input.ptr + fed, o->input.len - fed);
            if (put > 0) fed += (size_t)put;
            else if (errno != EAGAIN && errno != EINTR) fed = o->input.len; /* it does not want the rest */
        }
        if (!p->cancelled && host->is_cancelled(attempt)) {
            p->cancelled = 1;
            kill(-p->pid, SIGTERM);
            kill_at = host->now_ns() + o->grace_ms * 1000000;
        }
        if (!ended) {
            /* Looked at without taking it: until it is waited for, nobody else can get its id, nor its group. */
            siginfo_t info = {0};
            if (waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == p->pid) {
                ended = 1;
                if (p->cancelled) {
                    kill(-p->pid, SIGKILL);
                    kill_at = INT64_MAX;
                }
                listen_until = host->now_ns() + (p->cancelled ? 50 : 500) * INT64_C(1000000);
            }
        }
    }
    if (!ended) kill(-p->pid, SIGKILL);
    while (waitpid(p->pid, &p->status, 0) < 0 && errno == EINTR) {}
}

static int is_success(const options *o, int code) {
    if (code == 0) return 1;
    for (size_t i = 0; i < o->success_count; i++) if (o->success_codes[i] == code) return 1;
    return 0;
}

static void put_tail(text *t, const char *name, stream *s) {
    size_t skip = s->tail.length > TAIL_MAX ? s->tail.length - TAIL_MAX : 0;
    text_format(t, ",\"%s_bytes\":%" PRIu64 ",\"%s_lines\":%" PRIu64 ",\"%s_tail\":", name, s->bytes, name, s->lines, name);
    text_string(t, s->tail.bytes + skip, s->tail.length - skip);
}

static int32_t conclude(pawl_attempt *attempt, const options *o, program *p) {
    if (p->cancelled) return PAWL_E_CANCELLED;
    if (WIFEXITED(p->status) && is_success(o, WEXITSTATUS(p->status))) {
        text t = {0};
        text_format(&t, "{\"exit_code\":%d", WEXITSTATUS(p->status));
        put_tail(&t, "stdout", &p->out);
        put_tail(&t, "stderr", &p->err);
        text_put(&t, "}", 1);
        return text_result(&t, attempt);
    }
    char code[32], details[64];
    int signal = WIFSIGNALED(p->status) ? WTERMSIG(p->status) : 0;
    int exit_code = signal == 0 ? WEXITSTATUS(p->status) : 0;
    snprintf(code, sizeof code, signal != 0 ? "signal_%d" : "exit_%d", signal != 0 ? signal : exit_code);
    snprintf(details, sizeof details, "{\"%s\":%d}", signal != 0 ? "signal" : "exit_code", signal != 0 ? signal : exit_code);
    /* The last line it said, on stderr if it said something there. */
    const text *said = p->err.tail.length > 0 ? &p->err.tail : &p->out.tail;
    size_t end = said->length, begin;
    while (end > 0 && strchr("\r\n ", said->bytes[end - 1]) != NULL) end--;
    for (begin = end; begin > 0 && said->bytes[begin - 1] != '\n' && end - begin < 1000; begin--) {}
    if (signal != 0)
        return fail_later(attempt, code, PAWL_RETRY_BY_POLICY, 0, details, "%s was ended by signal %d (%s)%s%.*s", o->argv[0],
                          signal, strsignal(signal), end > begin ? ": " : "", (int)(end - begin), end > begin ? said->bytes + begin : "");
    return fail_later(attempt, code, PAWL_RETRY_BY_POLICY, 0, details, "%s exited with code %d%s%.*s", o->argv[0], exit_code,
                      end > begin ? ": " : "", (int)(end - begin), end > begin ? said->bytes + begin : "");
}

static int32_t exec_program(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user;
    (void)json;
    options o = {0};
    int32_t status = options_read(attempt, &o);
    program *p = status == PAWL_OK ? calloc(1, sizeof *p) : NULL;
    if (p == NULL) {
        options_free(&o);
        return status != PAWL_OK ? status : fail_with(attempt, "out_of_memory", PAWL_RETRY_BY_POLICY, "out of memory");
    }
    p->pidfd = p->input = p->out.fd = p->err.fd = -1;
    p->out.level = PAWL_LOG_INFO;
    p->err.level = PAWL_LOG_WARNING;
    attempt->host->set_stage(attempt, PAWL_STR("Running"));
    attempt->host->set_total(attempt, PAWL_TOTAL_UNKNOWN, PAWL_STR("lines"));
    attempt->host->set_message(attempt, (pawl_str){o.argv[0], strlen(o.argv[0])});
    signal(SIGPIPE, SIG_IGN);
    status = start(attempt, &o, p);
    if (status == PAWL_OK) {
        attend(attempt, &o, p);
        attempt->host->count(attempt, PAWL_STR("stdout_lines"), (int64_t)p->out.lines);
        attempt->host->count(attempt, PAWL_STR("stderr_lines"), (int64_t)p->err.lines);
        status = conclude(attempt, &o, p);
    }
    drop(&p->input);
    drop(&p->out.fd);
    drop(&p->err.fd);
    drop(&p->pidfd);
    text_free(&p->out.tail);
    text_free(&p->err.tail);
    free(p);
    options_free(&o);
    return status;
}

static const pawl_handler handlers[] = {
    {.struct_size = sizeof(pawl_handler), .name = "shell.exec",
     .description = "Runs a program without a shell; its output becomes the log, its exit code the outcome.",
     .args_schema = SCHEMA_HEAD
         "\"argv\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"minItems\":1,\"maxItems\":4096,"
         "\"description\":\"the program, looked up on PATH, and its arguments\"},"
         "\"env\":{\"type\":\"array\",\"items\":{\"type\":\"string\",\"pattern\":\"^[^=]+=\"},\"maxItems\":4096,"
         "\"description\":\"NAME=value, over the attempt's own environment\"},"
         "\"clean_env\":{\"type\":\"boolean\",\"default\":false,\"description\":\"only env, nothing of the attempt's own\"},"
         "\"directory\":{" SCHEMA_PATH ",\"description\":\"working directory\"},"
         "\"stdin\":{\"type\":\"string\",\"description\":\"what it reads; absent: nothing\"},"
         "\"success_codes\":{\"type\":\"array\",\"items\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":255},\"maxItems\":16,"
         "\"description\":\"exit codes besides 0 that are no failure\"},"
         "\"grace_ms\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":600000,\"default\":5000,"
         "\"description\":\"from SIGTERM to SIGKILL of its process group after a cancellation\"}"
         "},\"required\":[\"argv\"],\"additionalProperties\":false}",
     .result_schema = "{\"type\":\"object\",\"properties\":{\"exit_code\":{\"type\":\"integer\"},"
         "\"stdout_bytes\":{\"type\":\"integer\"},\"stdout_lines\":{\"type\":\"integer\"},"
         "\"stdout_tail\":{\"type\":\"string\",\"description\":\"the last 64 KiB\"},"
         "\"stderr_bytes\":{\"type\":\"integer\"},\"stderr_lines\":{\"type\":\"integer\"},"
         "\"stderr_tail\":{\"type\":\"string\"}}}",
     .run = exec_program}};

AUTHOR_PLUGIN("shell", "1.0.0", handlers, NULL, NULL)
