/* hello.c - a plugin with one handler, as its author writes it: pawl.h and cc are all it takes. */
#include <pawl.h>

#include <inttypes.h>
#include <stdio.h>

static const pawl_ext_args *args_api;

/* Greets `times` times, one step at a time. */
static int32_t hello(void *user, pawl_attempt *attempt, pawl_bytes args)
{
    const pawl_host *host = attempt->host;
    pawl_str name = PAWL_STR("world");
    int64_t times = 1;
    static const char *const members[] = {"name", "times"};
    (void)user;
    (void)args;

    /* A wrong arg has been explained to whoever asked: its status is all there is to return. */
    int32_t status = args_api->only(attempt, members, 2);
    if (status == PAWL_OK) {
        status = args_api->get_str(attempt, "name", &name);
    }
    if (status == PAWL_OK || status == PAWL_E_NOT_FOUND) {
        status = args_api->get_int(attempt, "times", 1, 1000000, &times);
    }
    if (status != PAWL_OK && status != PAWL_E_NOT_FOUND) {
        return status;
    }

    host->set_stage(attempt, PAWL_STR("greeting"));
    host->set_total(attempt, (uint64_t)times, PAWL_STR("greetings"));
    for (int64_t i = 0; i < times; i++) {
        if (host->is_cancelled(attempt)) {
            return PAWL_E_CANCELLED;
        }
        host->log(attempt, PAWL_LOG_INFO, name, PAWL_NO_STR);
        host->advance(attempt, 1);
    }

    char json[64];
    int len = snprintf(json, sizeof(json), "{\"greetings\":%" PRId64 "}", times);
    return host->result_json(attempt, (pawl_str){json, (size_t)len});
}

static int32_t init(const pawl_host *host)
{
    args_api = host->get_extension(host, PAWL_EXT_ARGS);
    if (args_api == NULL) {
        host->log(NULL, PAWL_LOG_ERROR, PAWL_STR("hello needs a host with " PAWL_EXT_ARGS), PAWL_NO_STR);
        return PAWL_E_UNSUPPORTED;
    }
    return PAWL_OK;
}

static const pawl_handler handlers[] = {{
    .struct_size = sizeof(pawl_handler),
    .name = "hello.c",
    .description = "Greets somebody as often as asked.",
    .args_schema = "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},"
                   "\"times\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000000}},\"additionalProperties\":false}",
    .run = hello,
}};

static const pawl_plugin plugin = {
    .struct_size = sizeof(pawl_plugin),
    .abi_major = PAWL_ABI_MAJOR,
    .abi_minor = PAWL_ABI_MINOR,
    .handler_size = sizeof(pawl_handler),
    .name = "hello-c",
    .version = "1.0.0",
    .handlers = handlers,
    .handler_count = 1,
    .init = init,
};

const pawl_plugin *pawl_plugin_entry(const pawl_host *host, uint32_t abi_major, uint32_t abi_minor, uint32_t host_size)
{
    (void)host;
    (void)abi_minor;
    return abi_major == PAWL_ABI_MAJOR && host_size >= sizeof(pawl_host) ? &plugin : NULL;
}
