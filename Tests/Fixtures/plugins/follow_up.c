/* follow_up - asks for runs as its args say ("job", "args", "options", "times"), then ends as "then" says. The result is the
 * last call's status; what was wrong is logged. */
#include "fixture.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static int32_t ask(void *user, pawl_attempt *attempt, pawl_bytes args) {
    (void)user, (void)args;
    const pawl_host *host = attempt->host;
    const pawl_ext_args *get = host->get_extension(host, PAWL_EXT_ARGS);
    const pawl_ext_follow_up *follow = host->get_extension(host, PAWL_EXT_FOLLOW_UP);
    if (follow == NULL) return PAWL_E_UNSUPPORTED;
    pawl_follow_up wanted = {.struct_size = sizeof wanted};
    pawl_str then = PAWL_STR("end"), why = PAWL_NO_STR;
    int64_t times = 1;
    get->get_str(attempt, "job", &wanted.job);
    get->get_json(attempt, "args", &wanted.args_json);
    get->get_json(attempt, "options", &wanted.options_json);
    get->get_str(attempt, "then", &then);
    get->get_int(attempt, "times", 0, 1000, &times);
    int32_t status = PAWL_OK;
    for (int64_t i = 0; i < times; i++) status = follow->enqueue(attempt, &wanted, &why);
    if (why.len > 0) host->log(attempt, PAWL_LOG_WARNING, why, PAWL_NO_STR);
    if (strcmp(then.ptr, "crash") == 0) raise(SIGSEGV);
    if (strcmp(then.ptr, "status") == 0) return status;
    if (strcmp(then.ptr, "snooze") == 0) return host->snooze(attempt, INT64_C(4102444800000));
    /* The first attempt only. */
    if (strcmp(then.ptr, "retry") == 0 && host->attempt_number(attempt) == 1) return PAWL_E_RETRY;
    if (strcmp(then.ptr, "fail") == 0) return PAWL_E_FAILED;
    if (strcmp(then.ptr, "wait") == 0) {
        host->log(attempt, PAWL_LOG_INFO, PAWL_STR("asked"), PAWL_NO_STR);
        while (host->is_cancelled(attempt) == 0) continue;
        return PAWL_E_CANCELLED;
    }
    char line[16];
    int length = snprintf(line, sizeof line, "%d", status);
    return host->result_json(attempt, (pawl_str){line, (size_t)length});
}

static int32_t idle(void *user, pawl_attempt *attempt, pawl_bytes args) {
    (void)user;
    return attempt->host->result_json(attempt, (pawl_str){args.ptr, args.len});
}

#define NUMBER_SCHEMA                                                                                                 \
    "{\"type\": \"object\", \"properties\": {\"n\": {\"type\": \"integer\"}}, \"additionalProperties\": false}"

static const pawl_handler handlers[] = {
    {.struct_size = sizeof(pawl_handler), .name = "fixture.ask", .run = ask},
    {.struct_size = sizeof(pawl_handler), .name = "fixture.asked", .args_schema = NUMBER_SCHEMA, .run = idle}};
PAWL_PLUGIN("follow_up", "1.0.0", handlers)
