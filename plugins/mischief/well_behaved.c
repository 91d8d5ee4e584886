/* well_behaved.c - handlers that end as they should: for measurements, and to show each call of the host once. */
#include "mischief.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TRY(call)                                                                                                     \
    do {                                                                                                              \
        int32_t status_of_call = (call);                                                                              \
        if (status_of_call != PAWL_OK && status_of_call != PAWL_E_NOT_FOUND) return status_of_call;                   \
    } while (0)

static int64_t unix_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Waits ms milliseconds; PAWL_E_CANCELLED as soon as somebody asks to stop. */
static int32_t wait_ms(pawl_attempt *attempt, int64_t ms) {
    int64_t end = attempt->host->now_ns() + ms * 1000000;
    struct pollfd cancelled = {.fd = attempt->host->cancel_fd(attempt), .events = POLLIN};
    for (;;) {
        if (attempt->host->is_cancelled(attempt)) return PAWL_E_CANCELLED;
        int64_t left = (end - attempt->host->now_ns() + 999999) / 1000000;
        if (left <= 0) return PAWL_OK;
        if (poll(&cancelled, 1, left > 60000 ? 60000 : (int)left) < 0 && errno != EINTR) return PAWL_E_INTERNAL;
    }
}

static int32_t result_of(pawl_attempt *attempt, const char *json) {
    return attempt->host->result_json(attempt, (pawl_str){json, strlen(json)});
}

int32_t mischief_noop(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)attempt, (void)json;
    return PAWL_OK;
}

int32_t mischief_sleep(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    int64_t ms = 1000;
    TRY(args->get_int(attempt, "ms", 0, INT64_MAX / 2000000, &ms));
    int32_t status = wait_ms(attempt, ms);
    if (status != PAWL_OK) return status;
    char out[64];
    snprintf(out, sizeof out, "{\"slept_ms\":%lld}", (long long)ms);
    return result_of(attempt, out);
}

int32_t mischief_progress(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    int64_t steps = 10, ms = 100;
    int32_t unknown_total = 0;
    TRY(args->get_int(attempt, "steps", 0, 1000000000, &steps));
    TRY(args->get_int(attempt, "ms", 0, 1000000, &ms));
    TRY(args->get_bool(attempt, "unknown_total", &unknown_total));
    const pawl_host *host = attempt->host;
    host->set_stage(attempt, PAWL_STR("Taking steps"));
    if (!unknown_total) host->set_total(attempt, (uint64_t)steps, PAWL_STR("steps"));
    for (int64_t i = 0; i < steps; i++) {
        int32_t status = wait_ms(attempt, ms);
        if (status != PAWL_OK) return status;
        host->advance(attempt, 1);
        host->count(attempt, PAWL_STR("steps"), 1);
    }
    char out[64];
    snprintf(out, sizeof out, "{\"steps\":%lld}", (long long)steps);
    return result_of(attempt, out);
}

int32_t mischief_log(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    int64_t lines = 10, refused = 0;
    TRY(args->get_int(attempt, "lines", 0, 1000000000, &lines));
    for (int64_t i = 1; i <= lines; i++) {
        char line[64], fields[64];
        int length = snprintf(line, sizeof line, "line %lld of %lld", (long long)i, (long long)lines);
        int fields_length = snprintf(fields, sizeof fields, "{\"line\":%lld}", (long long)i);
        int32_t status = attempt->host->log(attempt, PAWL_LOG_INFO, (pawl_str){line, (size_t)length},
                                            (pawl_str){fields, (size_t)fields_length});
        if (status == PAWL_E_LIMIT) refused++;
    }
    char out[96];
    snprintf(out, sizeof out, "{\"lines\":%lld,\"dropped\":%lld}", (long long)lines, (long long)refused);
    return result_of(attempt, out);
}

int32_t mischief_echo(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user;
    return attempt->host->result_json(attempt, (pawl_str){json.ptr, json.len});
}

int32_t mischief_latency(void *user, pawl_attempt *attempt, pawl_bytes json) {
    int64_t first = unix_us(); /* before anything else */
    (void)user, (void)json;
    char out[64];
    snprintf(out, sizeof out, "{\"clock_unix_us\":%lld}", (long long)first);
    return result_of(attempt, out);
}

int32_t mischief_fail(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    int32_t final = 0;
    pawl_failure failure = {
        .struct_size = sizeof failure, .code = PAWL_STR("mischief"),
            .message = PAWL_STR("it failed, as it was told to")};
    TRY(args->get_str(attempt, "message", &failure.message));
    TRY(args->get_str(attempt, "code", &failure.code));
    TRY(args->get_bool(attempt, "final", &final));
    failure.retry = final ? PAWL_RETRY_NEVER : PAWL_RETRY_BY_POLICY;
    return attempt->host->fail(attempt, &failure);
}

int32_t mischief_snooze(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    int64_t ms = 1000;
    TRY(args->get_int(attempt, "ms", 0, INT64_MAX / 2, &ms));
    if (attempt->host->attempt_number(attempt) > 1) return PAWL_OK; /* once is enough */
    return attempt->host->snooze(attempt, unix_us() / 1000 + ms);
}

int32_t mischief_result(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    int64_t bytes = 100;
    TRY(args->get_int(attempt, "bytes", 0, INT64_C(1) << 30, &bytes));
    size_t length = (size_t)bytes + 2;
    char *out = malloc(length);
    if (out == NULL) return PAWL_E_LIMIT;
    memset(out, 'x', length);
    out[0] = out[length - 1] = '"';
    int32_t status = attempt->host->result_json(attempt, (pawl_str){out, length});
    free(out);
    return status;
}

int32_t mischief_bytes(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    int64_t bytes = 100;
    TRY(args->get_int(attempt, "bytes", 0, INT64_C(1) << 30, &bytes));
    unsigned char *out = malloc((size_t)bytes + 1);
    if (out == NULL) return PAWL_E_LIMIT;
    for (int64_t i = 0; i < bytes; i++) out[i] = (unsigned char)i;
    int32_t status = attempt->host->result_bytes(attempt, (pawl_bytes){out, (size_t)bytes},
                                                 PAWL_STR("application/x-mischief"));
    free(out);
    return status;
}

/* Whether the descriptor is listed: all but the one that lists them. */
static void list_fds(FILE *out) {
    DIR *all = opendir("/proc/self/fd");
    if (all == NULL) return;
    const char *comma = "";
    for (struct dirent *entry; (entry = readdir(all)) != NULL;) {
        int fd = atoi(entry->d_name);
        if (entry->d_name[0] == '.' || fd == dirfd(all)) continue;
        fprintf(out, "%s%d", comma, fd);
        comma = ",";
    }
    closedir(all);
}

int32_t mischief_facts(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    extern char **environ;
    const pawl_host *host = attempt->host;
    char *text = NULL, directory[4096];
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (out == NULL || getcwd(directory, sizeof directory) == NULL) return PAWL_E_INTERNAL;
    const pawl_ext_thread_check *threads = host->get_extension(host, PAWL_EXT_THREAD_CHECK);
    pawl_str run = host->run_id(attempt), job = host->job_name(attempt), scratch = host->scratch_dir(attempt),
        parent = host->traceparent(attempt);
    fprintf(out, "{\"run_id\":\"%.*s\",\"job\":\"%.*s\",\"scratch\":\"%.*s\",\"traceparent\":\"%.*s\"", (int)run.len,
            run.ptr,
            (int)job.len, job.ptr, (int)scratch.len, scratch.ptr, (int)parent.len, parent.ptr);
    fprintf(out, ",\"attempt\":%u,\"deadline_ns\":%lld,\"now_ns\":%lld,\"directory\":\"%s\",\"pid\":%d,\"thread\":%d",
            host->attempt_number(attempt), (long long)host->deadline_ns(attempt), (long long)host->now_ns(), directory,
                getpid(),
            threads != NULL ? threads->which_thread() : -1);
    fprintf(out, ",\"unknown_extension\":%s,\"fds\":[", host->get_extension(host, "nobody.knows/1") == NULL ? "null"
            : "1");
    list_fds(out);
    fprintf(out, "],\"environment\":[");
    for (char **variable = environ; *variable != NULL; variable++)
        fprintf(out, "%s\"%s\"", variable == environ ? "" : ",", *variable);
    fprintf(out, "]}");
    if (fclose(out) != 0) return PAWL_E_INTERNAL;
    int32_t status = host->result_json(attempt, (pawl_str){text, length});
    free(text);
    return status;
}
