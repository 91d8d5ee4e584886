/* calls each getter of pawl.args/1 as its args say: {"call": NAME, "key": K, ...}; returns status and value */
#include "fixture.h"
#include <stdio.h>
#include <string.h>
static const pawl_ext_args *args;
static int is(pawl_str call, const char *name) { return call.len == strlen(name)
                                                && memcmp(call.ptr, name, call.len) == 0; }
static int32_t get(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    static const char *const known[] = {"call", "v", "strict"};
    char out[4096];
    pawl_str call, text = PAWL_STR("default");
    int64_t whole = -7;
    double real = -7.5;
    int32_t truth = -1, status;
    size_t count = 77;
    if (args->get_str(attempt, "call", &call) != PAWL_OK) return PAWL_E_INVALID_INPUT;
    if (is(call, "str")) {
        status = args->get_str(attempt, "v", &text);
        snprintf(out, sizeof out, "{\"status\":%d,\"length\":%zu,\"terminated\":%s}", status, text.len,
                 text.ptr[text.len] == 0 ? "true" : "false");
    } else if (is(call, "bytes")) {
        status = args->get_str(attempt, "v", &text);
        if (status == PAWL_OK) return attempt->host->result_bytes(attempt, (pawl_bytes){text.ptr, text.len},
            PAWL_NO_STR);
    } else if (is(call, "int")) {
        status = args->get_int(attempt, "v", -10, 1000, &whole);
        snprintf(out, sizeof out, "{\"status\":%d,\"value\":%lld}", status, (long long)whole);
    } else if (is(call, "double")) {
        status = args->get_double(attempt, "v", &real);
        snprintf(out, sizeof out, "{\"status\":%d,\"value\":%.17g}", status, real);
    } else if (is(call, "bool")) {
        status = args->get_bool(attempt, "v", &truth);
        snprintf(out, sizeof out, "{\"status\":%d,\"value\":%d}", status, truth);
    } else if (is(call, "json")) {
        status = args->get_json(attempt, "v", &text);
        if (status == PAWL_OK) return attempt->host->result_json(attempt, text);
        snprintf(out, sizeof out, "{\"status\":%d}", status);
    } else if (is(call, "array")) {
        status = args->array_count(attempt, "v", &count);
        int32_t last = status == PAWL_OK && count > 0 ? args->array_str(attempt, "v", count - 1, &text) : -1;
        int32_t beyond = status == PAWL_OK ? args->array_str(attempt, "v", count, &text) : -1;
        snprintf(out, sizeof out, "{\"status\":%d,\"count\":%zu,\"last\":%d,\"length\":%zu,\"beyond\":%d}", status,
                 count, last, text.len, beyond);
        if (last == PAWL_E_INVALID_INPUT) return last;
    } else {
        status = args->only(attempt, known, sizeof known / sizeof known[0]);
        snprintf(out, sizeof out, "{\"status\":%d}", status);
    }
    int32_t strict = 0;
    args->get_bool(attempt, "strict", &strict);
    if (strict) return status; /* as a handler would */
    return attempt->host->result_json(attempt, (pawl_str){out, strlen(out)});
}
static const pawl_handler getters[] = {{.struct_size = sizeof(pawl_handler), .name = "fixture.get", .run = get}};
FIXTURE_DESCRIPTOR("getters", .handlers = getters)
FIXTURE_ENTRY((void)fixture_run; args = host->get_extension(host, PAWL_EXT_ARGS);)
