/* uses the host's calls at their limits; "what" says which */
#include "fixture.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static const pawl_ext_args *args;
static int is(pawl_str what, const char *name) { return what.len == strlen(name)
                                                && memcmp(what.ptr, name, what.len) == 0; }
static void *log_from_thread(void *context) {
    pawl_attempt *attempt = context;
    for (int i = 0; i < 200; i++) attempt->host->log(attempt, PAWL_LOG_INFO, PAWL_STR("from a thread"), PAWL_NO_STR);
    return NULL;
}
static int32_t talk(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    const pawl_host *host = attempt->host;
    pawl_str what = PAWL_NO_STR;
    char out[256];
    args->get_str(attempt, "what", &what);
    if (is(what, "long_line")) {
        char *line = malloc(70000);
        memset(line, 'a', 70000);
        memcpy(line + 65535, "\xC3\xA9", 2); /* across the cut */
        host->log(attempt, 77, (pawl_str){line, 70000}, PAWL_STR("no object"));
        return PAWL_OK;
    }
    if (is(what, "counters")) {
        int32_t last = 0;
        for (int i = 0; i < 65; i++) {
            int length = snprintf(out, sizeof out, "kind%d", i);
            last = host->count(attempt, (pawl_str){out, (size_t)length}, i);
        }
        int32_t longer = host->count(attempt,
            (pawl_str){"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 65}, 1);
        snprintf(out, sizeof out, "{\"sixty_fifth\":%d,\"long_kind\":%d}", last, longer);
        return host->result_json(attempt, (pawl_str){out, strlen(out)});
    }
    if (is(what, "stages")) {
        host->set_stage(attempt, PAWL_STR("One"));
        host->set_progress(attempt, 3, 10, PAWL_STR("halfway"));
        host->count(attempt, PAWL_STR("items"), 3);
        host->set_stage(attempt, PAWL_STR("Two"));
        host->set_total(attempt, 4, PAWL_STR("rows"));
        host->set_message(attempt, PAWL_STR("nearly"));
        host->advance(attempt, 2);
        return PAWL_OK;
    }
    if (is(what, "two_results")) {
        int32_t first = host->result_json(attempt, PAWL_STR("{\"first\":true}"));
        int32_t second = host->result_json(attempt, PAWL_STR("2"));
        return first == PAWL_OK && second == PAWL_E_STATE ? PAWL_OK : PAWL_E_INTERNAL;
    }
    if (is(what, "bad_json")) {
        int32_t status = host->result_json(attempt, PAWL_STR("{\"a\":1,}"));
        snprintf(out, sizeof out, "%d", status);
        return host->result_json(attempt, (pawl_str){out, strlen(out)});
    }
    if (is(what, "too_large")) {
        static char large[(64 << 20) + 1];
        memset(large, ' ', sizeof large);
        large[0] = '1';
        snprintf(out, sizeof out, "%d", host->result_json(attempt, (pawl_str){large, sizeof large}));
        return host->result_json(attempt, (pawl_str){out, strlen(out)});
    }
    if (is(what, "full_failure")) {
        pawl_failure f = {sizeof f, PAWL_RETRY_YES, PAWL_STR("http_503"), PAWL_STR("come back later"),
                          PAWL_STR("{\"after\":5}"), 1234567};
        return host->fail(attempt, &f);
    }
    if (is(what, "odd_failure")) {
        pawl_failure f = {sizeof f, 99, PAWL_NO_STR, PAWL_NO_STR, PAWL_STR("{oops"), 0};
        host->fail(attempt, &f);
        return PAWL_OK;
    }
    if (is(what, "ok_then_status")) {
        host->result_json(attempt, PAWL_STR("1"));
        return 1042;
    }
    if (is(what, "status_retry")) return PAWL_E_RETRY;
    if (is(what, "threads")) {
        pthread_t threads[4];
        for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, log_from_thread, attempt);
        for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
        return PAWL_OK;
    }
    if (is(what, "fork_and_return")) {
        /* Both processes return from run(): only the handler's own may speak. */
        if (fork() == 0) {
            host->log(attempt, PAWL_LOG_INFO, PAWL_STR("from the fork"), PAWL_NO_STR);
            return host->result_json(attempt, PAWL_STR("\"fork\""));
        }
        usleep(50000);
        return host->result_json(attempt, PAWL_STR("\"handler\""));
    }
    if (is(what, "wait_cancel")) {
        host->log(attempt, PAWL_LOG_INFO, PAWL_STR("waiting"), PAWL_NO_STR);
        while (!host->is_cancelled(attempt)) usleep(1000);
        return PAWL_E_CANCELLED;
    }
    if (is(what, "wait_deadline")) {
        int64_t first = host->deadline_ns(attempt);
        host->log(attempt, PAWL_LOG_INFO, PAWL_STR("waiting"), PAWL_NO_STR);
        while (host->deadline_ns(attempt) == first) usleep(1000);
        snprintf(out, sizeof out, "%lld", (long long)host->deadline_ns(attempt));
        return host->result_json(attempt, (pawl_str){out, strlen(out)});
    }
    return PAWL_E_UNSUPPORTED;
}
static const pawl_handler talker[] = {{.struct_size = sizeof(pawl_handler), .name = "fixture.talk", .run = talk}};
FIXTURE_DESCRIPTOR("talker", .handlers = talker)
FIXTURE_ENTRY((void)fixture_run; args = host->get_extension(host, PAWL_EXT_ARGS);)
