#include "call.h"

#include "base64.h"
#include "manifest.h"

#include <errno.h>
#include <string.h>

static pawl_str borrow(const char *terminated)
{
    pawl_str words = {terminated, strlen(terminated)};
    return words;
}

/* Ends the attempt: this arg is wrong. An empty name means the args as a whole. */
static int32_t refuse(arena *memory, pawl_attempt *attempt, const char *name, const char *words)
{
    text message = {.memory = memory};
    text details = {.memory = memory};
    text pointer = {.memory = memory};
    text_str(&pointer, name[0] == '\0' ? "" : "/");
    for (const char *c = name; *c != '\0'; c++) {
        /* RFC 6901: ~ and / are written ~0 and ~1. */
        text_format(&pointer, *c == '~' ? "~0" : *c == '/' ? "~1" : "%c", *c);
    }
    text_format(&message, "args%s: %s", pointer.bytes, words);
    text_str(&details, "{\"pointer\":");
    text_json_str(&details, pointer.bytes);
    text_str(&details, "}");
    pawl_failure failure = {.struct_size = sizeof(failure),
                            .retry = PAWL_RETRY_NEVER,
                            .code = PAWL_STR("invalid_input"),
                            .message = borrow(message.bytes),
                            .details_json = borrow(details.bytes)};
    attempt->host->fail(attempt, &failure);
    return PAWL_E_INVALID_INPUT;
}

/* A member that is no parameter, or NULL and *words if all are. */
static const json *unknown_arg(arena *memory, const function *function, const json *args, const char **words)
{
    for (const json *arg = args->first; arg != NULL; arg = arg->next) {
        text names = {.memory = memory};
        int known = 0;
        for (unsigned i = 0; i < function->param_count; i++) {
            const param *param = &function->params[i];
            if (!param->is_const) {
                known |= strlen(param->name) == arg->key_len && memcmp(param->name, arg->key, arg->key_len) == 0;
                text_format(&names, "%s%s", names.len > 0 ? ", " : "", param->name);
            }
        }
        if (!known) {
            text all = {.memory = memory};
            text_format(&all, "is unknown; known are %s", names.len > 0 ? names.bytes : "none");
            *words = all.bytes;
            return arg;
        }
    }
    return NULL;
}

/* Fills the one or two C arguments of a parameter. NULL, or what is allowed. */
static const char *fill(arena *memory, const param *param, const json *arg, value *first, value *second)
{
    if (arg->kind == JSON_NULL && param->is_nullable) {
        first->pointer = NULL;
        return param->type->class == CLASS_BYTES ? value_from_size(param->length_type, 0, second) : NULL;
    }
    if (param->type->class != CLASS_BYTES) {
        return value_from_json(memory, param->type, arg, first);
    }
    if (arg->kind != JSON_STRING) {
        return param->is_base64 ? "must be a base64 string" : "must be a string";
    }
    span bytes = {arg->bytes, arg->len};
    if (param->is_base64) {
        bytes = base64_decode(memory, arg->bytes, arg->len);
        if (bytes.ptr == NULL) {
            return "must be a base64 string";
        }
    }
    first->pointer = (void *)(uintptr_t)bytes.ptr;
    return value_from_size(param->length_type, bytes.len, second);
}

static int32_t finish(arena *memory, pawl_attempt *attempt, const function *function, value *result, int error)
{
    text out = {.memory = memory};
    text_str(&out, "{\"result\":");
    value_to_json(&out, function->result, result);
    if (function->wants_errno) {
        text_format(&out, ",\"errno\":%d", error);
        if (error != 0) {
            text_str(&out, ",\"error\":");
            text_json_str(&out, strerror(error));
        }
    }
    text_str(&out, "}");
    if (function->free_address != NULL && result->pointer != NULL) {
        ((void (*)(void *))function->free_address)(result->pointer);
    }
    pawl_str json = {out.bytes, out.len};
    int32_t status = attempt->host->result_json(attempt, json);
    if (status == PAWL_E_LIMIT) {
        pawl_failure failure = {.struct_size = sizeof(failure),
                                .retry = PAWL_RETRY_NEVER,
                                .code = PAWL_STR("result_too_large"),
                                .message = PAWL_STR("the host refused the result: too large")};
        attempt->host->fail(attempt, &failure);
    }
    return status;
}

static int32_t call(arena *memory, const function *function, pawl_attempt *attempt, pawl_bytes text_of_args)
{
    const char *words = NULL;
    const json *args = json_parse(memory, text_of_args.ptr, text_of_args.len, &words);
    if (args == NULL) {
        return refuse(memory, attempt, "", words);
    }
    if (args->kind != JSON_OBJECT) {
        return refuse(memory, attempt, "", "must be an object");
    }
    const json *unknown = unknown_arg(memory, function, args, &words);
    if (unknown != NULL) {
        return refuse(memory, attempt, unknown->key, words);
    }
    value values[2 * MAX_PARAMS];
    void *addresses[2 * MAX_PARAMS];
    unsigned count = 0;
    for (unsigned i = 0; i < function->param_count; i++) {
        const param *param = &function->params[i];
        const json *arg = param->is_const ? NULL : json_member(args, param->name);
        arg = arg == NULL ? param->fallback : arg;
        if (arg == NULL) {
            return refuse(memory, attempt, param->name, "is missing");
        }
        words = fill(memory, param, arg, &values[count], &values[count + 1]);
        if (words != NULL) {
            return refuse(memory, attempt, param->name, words);
        }
        unsigned needed = param->type->class == CLASS_BYTES ? 2 : 1;
        for (unsigned n = 0; n < needed; n++, count++) {
            addresses[count] = &values[count];
        }
    }
    /* Wider than any result: libffi writes whole registers. */
    value result;
    memset(&result, 0, sizeof(result));
    errno = 0;
    ffi_call((ffi_cif *)(uintptr_t)&function->cif, function->address, &result, addresses);
    int error = errno;
    return finish(memory, attempt, function, &result, error);
}

int32_t call_function(void *user, pawl_attempt *attempt, pawl_bytes args)
{
    arena memory = {NULL};
    int32_t status = call(&memory, user, attempt, args);
    arena_free(&memory);
    return status;
}
