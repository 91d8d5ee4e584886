/* foreground.c - plays the host for one attempt, in the attempt's own process. Everything from the plugin's loading to the
 * frames of its end is the code of every child; only fork, sandbox, limits and crash record are missing, so that a debugger
 * sees the plain fault. */
#include "foreground.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "attempt.h"
#include "frames.h"
#include "host_table.h"
#include "main_queue.h"
#include "progress.h"
#include "worker.h"

#define EXIT_USAGE 64

/* ---- what the attempt says ---- */

/* The piece of a frame at `at`; parts are as the sender has them, so a piece may be any of them. */
static void take(const struct iovec *parts, size_t count, size_t at, void *to, size_t length) {
    char *out = to;
    for (size_t i = 0; i < count && length > 0; i++) {
        if (at >= parts[i].iov_len) {
            at -= parts[i].iov_len;
            continue;
        }
        size_t part = parts[i].iov_len - at < length ? parts[i].iov_len - at : length;
        memcpy(out, (const char *)parts[i].iov_base + at, part);
        out += part;
        length -= part;
        at = 0;
    }
    memset(out, 0, length);
}

static void print(FILE *to, const struct iovec *parts, size_t count, size_t at, size_t length) {
    char *piece = malloc(length + 1);
    if (piece == NULL) return;
    take(parts, count, at, piece, length);
    fwrite(piece, 1, length, to);
    free(piece);
}

static void print_log(const struct iovec *parts, size_t count) {
    static const char *const levels[] = {"debug", "info", "warning", "error"};
    pawl_f_log head;
    take(parts, count, 0, &head, sizeof head);
    fprintf(stderr, "%-7s ", levels[head.level <= PAWL_LOG_ERROR ? head.level : PAWL_LOG_ERROR]);
    size_t at = sizeof head;
    if (head.stage_length > 0) {
        print(stderr, parts, count, at, head.stage_length);
        fputs(": ", stderr);
    }
    at += head.stage_length;
    print(stderr, parts, count, at, head.message_length);
    if (head.fields_length > 0) {
        fputc(' ', stderr);
        print(stderr, parts, count, at + head.message_length, head.fields_length);
    }
    fputc('\n', stderr);
    /* Nobody else gives credit back. */
    atomic_store(&the_attempt.credit, PAWL_CREDIT_DEFAULT);
}

static void print_progress(const struct iovec *parts, size_t count) {
    pawl_f_progress head;
    take(parts, count, 0, &head, sizeof head);
    fputs("progress ", stderr);
    print(stderr, parts, count, sizeof head, head.stage_length);
    fprintf(stderr, " %" PRIu64, head.current);
    if (head.total != PAWL_TOTAL_UNKNOWN) fprintf(stderr, " / %" PRIu64, head.total);
    fputc('\n', stderr);
}

static void print_follow_up(const struct iovec *parts, size_t count) {
    pawl_f_follow_up head;
    take(parts, count, 0, &head, sizeof head);
    fputs("follow-up run of ", stderr);
    print(stderr, parts, count, sizeof head, head.job_length);
    if (head.delay_ms > 0) fprintf(stderr, " after %" PRId64 " ms", head.delay_ms);
    fputs(": ", stderr);
    print(stderr, parts, count, sizeof head + head.job_length, head.args_length);
    fputs(" (not enqueued here)\n", stderr);
}

static void print_failure(const struct iovec *parts, size_t count) {
    pawl_f_failure head;
    take(parts, count, 0, &head, sizeof head);
    fputs("failed: ", stderr);
    print(stderr, parts, count, sizeof head + head.code_length, head.message_length);
    fputs(" (", stderr);
    print(stderr, parts, count, sizeof head, head.code_length);
    fputs(")\n", stderr);
    fflush(NULL);
    _exit(EXIT_FAILURE);
}

/* A result may come in several frames; only the first one has a head. */
static void print_result(uint16_t flags, const struct iovec *parts, size_t count) {
    static bool is_open;
    static pawl_f_result head;
    size_t length = 0, at = 0;
    for (size_t i = 0; i < count; i++) length += parts[i].iov_len;
    if (!is_open) {
        take(parts, count, 0, &head, sizeof head);
        at = sizeof head + head.media_type_length;
    }
    is_open = (flags & PAWL_FLAG_MORE) != 0;
    print(stdout, parts, count, at, length - at);
    if (!is_open && head.is_json) fputc('\n', stdout);
    fflush(stdout);
}

static void hear(uint16_t kind, uint16_t flags, const struct iovec *parts, size_t count) {
    switch (kind) {
    case PAWL_F_LOG: print_log(parts, count); break;
    case PAWL_F_PROGRESS: print_progress(parts, count); break;
    case PAWL_F_RESULT: print_result(flags, parts, count); break;
    case PAWL_F_FAILURE: print_failure(parts, count); break;
    case PAWL_F_FOLLOW_UP: print_follow_up(parts, count); break;
    case PAWL_F_SNOOZE: fputs("snoozed\n", stderr); break;
    default: break;
    }
}

static void hear_plugin(int32_t level, pawl_str message) {
    (void)level;
    fprintf(stderr, "plugin: %.*s\n", (int)message.len, message.ptr);
}

/* ---- what it is given ---- */

static _Noreturn void refuse(int code, const char *what, const char *why) {
    fprintf(stderr, "pawl-zygote: %s: %s\n", what, why);
    exit(code);
}

static char *read_file(const char *path, size_t *length) {
    FILE *file = fopen(path, "re");
    char *bytes = NULL;
    size_t size = 0, room = 0, got;
    if (file == NULL) refuse(EXIT_USAGE, path, strerror(errno));
    do {
        if (size + 1 >= room) {
            room = room == 0 ? 65536 : room * 2;
            bytes = room > PAWL_RESULT_MAX * 2 ? NULL : realloc(bytes, room);
            if (bytes == NULL) refuse(EXIT_USAGE, path, "it is too large");
        }
        got = fread(bytes + size, 1, room - size - 1, file);
        size += got;
    } while (got > 0);
    if (ferror(file)) refuse(EXIT_USAGE, path, strerror(errno));
    fclose(file);
    bytes[size] = 0;
    *length = size;
    return bytes;
}

static char *copy_of(const char *words) { return words == NULL ? NULL : strdup(words); }

static uint32_t find_handler(const loaded_plugin *plugin, const char *name) {
    for (uint32_t i = 0; i < plugin->plugin.handler_count; i++)
        if (strcmp(plugin->handlers[i].name, name) == 0) return i;
    refuse(EXIT_USAGE, name, "the plugin has no such handler");
}

static void prepare(attempt *a, const loaded_plugin *plugin, const char *handler, const char *args_path) {
    size_t length;
    const char *number = getenv("PAWL_ATTEMPT"), *run = getenv("PAWL_RUN_ID"), *job = getenv("PAWL_JOB");
    a->plugin = plugin;
    a->head.handler_index = find_handler(plugin, handler);
    a->head.attempt = number == NULL ? 1 : (uint32_t)strtoul(number, NULL, 10);
    a->args = read_file(args_path, &length);
    a->head.args_length = length;
    a->job = copy_of(job == NULL ? handler : job);
    a->run_name = copy_of(run == NULL ? "run_0000000000000" : run);
    a->traceparent = copy_of(getenv("TRACEPARENT"));
    a->scratch = getcwd(NULL, 0);
    atomic_store(&a->deadline_ns, INT64_MAX);
    attempt_renew(a, 0);
}

/* ---- its life ---- */

static int signal_fd = -1;

static void on_signal(int number) {
    uint64_t one = 1;
    signal(number, SIG_DFL); /* the second one ends it */
    if (write(signal_fd, &one, sizeof one) < 0) _exit(EXIT_FAILURE);
}

static void cancel(attempt *a) {
    uint64_t one = 1;
    if (atomic_exchange(&a->cancelled, 1) != 0) return;
    fputs("asked to stop; the same signal again ends it\n", stderr);
    if (a->cancel_fd >= 0 && write(a->cancel_fd, &one, sizeof one) < 0)
        complain("pawl: cannot signal the cancellation");
    worker_tell_cancelled(a);
}

static void drain(int fd) {
    uint64_t rings;
    if (read(fd, &rings, sizeof rings) < 0 && errno != EAGAIN) complain("pawl: an event descriptor is broken");
}

_Noreturn void foreground(char **words) {
    static loaded_plugin plugin;
    static load_refusal refusal;
    attempt *a = &the_attempt;
    size_t length;
    host_table_set_sink(hear_plugin);
    if (words[3] != NULL) {
        const char *configuration = read_file(words[3], &length);
        host_table_set_config(configuration, length);
    }
    if (!load_plugin(words[0], 0, &plugin, &refusal)) refuse(EXIT_REFUSED, words[0], refusal.message);
    prepare(a, &plugin, words[1], words[2]);
    frames_init(0);
    frames_divert(hear);
    signal_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    a->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    a->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    progress_init(a->wake_fd);
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    main_queue queue = main_queue_open(&plugin);
    atomic_store(&a->phase, ATTEMPT_STARTING);
    if (!worker_take(a, NULL)) refuse(EXIT_SETUP, "thread", strerror(errno));
    for (;;) { /* the worker ends the process */
        int64_t due = progress_flush();
        struct pollfd polled[3] = {{.fd = signal_fd, .events = POLLIN},
                                   {.fd = a->wake_fd, .events = POLLIN},
                                   {.fd = queue.port, .events = POLLIN}};
        if (poll(polled, 3, due < 0 ? -1 : (int)((due + 999999) / 1000000)) < 0) continue;
        if ((polled[0].revents & POLLIN) != 0) {
            drain(signal_fd);
            cancel(a);
        }
        if ((polled[1].revents & POLLIN) != 0) drain(a->wake_fd);
        if ((polled[2].revents & POLLIN) != 0) queue.pump();
    }
}
