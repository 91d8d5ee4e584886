/* effect - each attempt that is executed leaves one line in a file: what the args call it ("tag"), its run, its number and the
 * time. Then it takes its time ("ms"), fails in its first attempts ("fail"), and may ask for a run of the same kind ("next"). */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static int64_t now_micros(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* One write of one line: lines of several processes do not mix. */
static int leave(pawl_str file, pawl_str tag, pawl_str run, uint32_t attempt) {
    char line[512];
    int length = snprintf(line, sizeof line, "%.*s %.*s %" PRIu32 " %" PRId64 "\n", (int)tag.len, tag.ptr, (int)run.len, run.ptr,
                          attempt, now_micros());
    if (length < 0 || (size_t)length >= sizeof line) return -1;
    int fd = open(file.ptr, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) return -1;
    ssize_t wrote = write(fd, line, (size_t)length);
    close(fd);
    return wrote == length ? 0 : -1;
}

static int32_t append(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    const pawl_host *host = attempt->host;
    const pawl_ext_args *args = host->get_extension(host, PAWL_EXT_ARGS);
    pawl_str file = PAWL_NO_STR, tag = PAWL_NO_STR, next = PAWL_NO_STR;
    int64_t ms = 0, fail = 0;
    if (args->get_str(attempt, "file", &file) != PAWL_OK || args->get_str(attempt, "tag", &tag) != PAWL_OK)
        return PAWL_E_INVALID_INPUT;
    args->get_int(attempt, "ms", 0, 600000, &ms);
    args->get_int(attempt, "fail", 0, 1000, &fail);
    uint32_t number = host->attempt_number(attempt);
    if (leave(file, tag, host->run_id(attempt), number) != 0) return PAWL_E_INTERNAL;
    for (int64_t end = now_micros() + ms * 1000; now_micros() < end;) {
        if (host->is_cancelled(attempt) != 0) return PAWL_E_CANCELLED;
        struct timespec moment = {0, 2000000};
        nanosleep(&moment, NULL);
    }
    if (number <= fail) return PAWL_E_RETRY;
    if (args->get_json(attempt, "next", &next) == PAWL_OK) {
        const pawl_ext_follow_up *follow = host->get_extension(host, PAWL_EXT_FOLLOW_UP);
        pawl_str why = PAWL_NO_STR;
        pawl_follow_up wanted = {.struct_size = sizeof wanted, .job = PAWL_STR("effect.append"), .args_json = next};
        if (follow == NULL || follow->enqueue(attempt, &wanted, &why) != PAWL_OK) return PAWL_E_INTERNAL;
    }
    return PAWL_OK;
}

static const pawl_handler handlers[] = {{.struct_size = sizeof(pawl_handler), .name = "effect.append", .run = append}};
PAWL_PLUGIN("effect", "1.0.0", handlers)
