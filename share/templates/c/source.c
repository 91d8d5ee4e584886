/* @SOURCE@ - the handler @HANDLER@. All that a handler may do is in pawl.h, which reads from top to bottom. */
#include <pawl.h>

#include <inttypes.h>
#include <stdio.h>

/* Greets `times` times, one step at a time. */
static int32_t run(void *user, pawl_attempt *attempt, pawl_bytes args)
{
    static const char *const members[] = {"name", "times"};
    const pawl_host *host = attempt->host;
    const pawl_ext_args *api = host->get_extension(host, PAWL_EXT_ARGS);
    pawl_str name = PAWL_STR("world"); /* what an absent member means */
    int64_t times = 1;
    char text[256];
    (void)user;
    (void)args; /* the args as JSON text, for those who bring a parser */

    if (api == NULL) {
        return PAWL_E_UNSUPPORTED;
    }
    /* A wrong arg has been explained to whoever asked: its status is all there is to return. */
    if (api->only(attempt, members, 2) != PAWL_OK || api->get_str(attempt, "name", &name) == PAWL_E_INVALID_INPUT ||
        api->get_int(attempt, "times", 1, 1000, &times) == PAWL_E_INVALID_INPUT) {
        return PAWL_E_INVALID_INPUT;
    }

    host->set_stage(attempt, PAWL_STR("Greeting"));
    host->set_total(attempt, (uint64_t)times, PAWL_STR("greetings"));
    for (int64_t i = 0; i < times; i++) {
        if (host->is_cancelled(attempt)) {
            return PAWL_E_CANCELLED;
        }
        int len = snprintf(text, sizeof(text), "hello %.*s", name.len > 200 ? 200 : (int)name.len, name.ptr);
        host->log(attempt, PAWL_LOG_INFO, (pawl_str){text, (size_t)len}, PAWL_NO_STR);
        host->advance(attempt, 1);
    }

    int len = snprintf(text, sizeof(text), "{\"greetings\":%" PRId64 "}", times);
    return host->result_json(attempt, (pawl_str){text, (size_t)len});
}

static const pawl_handler handlers[] = {{
    .struct_size = sizeof(pawl_handler),
    .name = "@HANDLER@",
    .description = "Greets somebody as often as asked.",
    .args_schema = "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},"
                   "\"times\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000}},\"additionalProperties\":false}",
    .run = run,
}};

PAWL_PLUGIN("@PLUGIN@", "1.0.0", handlers)
