#include "call.h"

#include "base64.h"
#include "expression.h"
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
            if (param_is_arg(param)) {
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

#define BUFFER_MAX (UINT64_C(64) << 20)

/* What stands behind one parameter during a call. */
typedef struct slot {
    value *first;       /* the C argument, where it is no struct by value */
    void *room;         /* of a struct, of what out and inout point to, of a buffer */
    uint64_t length;    /* of bytes and cstrings; the size of a buffer */
} slot;

typedef struct frame {
    const function *function;
    slot slots[MAX_PARAMS];
    const void *result; /* NULL before the call */
} frame;

/* A whole number in memory as the expressions see it; 0 if it is negative. */
static int read_number(const type *type, const void *from, uint64_t *out)
{
    *out = 0;
    memcpy(out, from, type->bits / 8);
    return type->class == CLASS_UNSIGNED || (*out >> (type->bits - 1)) == 0;
}

static int look_up(void *context, const char *called, const char *name, uint64_t *out)
{
    const frame *frame = context;
    if (called[0] == '\0' && strcmp(name, "result") == 0) {
        return frame->result != NULL && read_number(frame->function->result, frame->result, out);
    }
    for (unsigned i = 0; i < frame->function->param_count; i++) {
        const param *param = &frame->function->params[i];
        const slot *slot = &frame->slots[i];
        if (strcmp(param->name, name) != 0) {
            continue;
        }
        if (called[0] != '\0') {
            *out = slot->length;
            return 1;
        }
        return read_number(param->type, slot->room != NULL ? slot->room : slot->first, out);
    }
    return 0;
}

/* Fills the one or two C arguments of a parameter. NULL, or what is allowed. */
static const char *fill(arena *memory, const param *param, const json *arg, slot *slot, value *second)
{
    if (arg->kind == JSON_NULL && param->is_nullable) {
        slot->first->pointer = NULL;
        return param->type->class == CLASS_BYTES ? value_from_size(param->length_type, 0, second) : NULL;
    }
    if (slot->room != NULL) {
        return memory_from_json(memory, param->type, arg, slot->room);
    }
    if (param->type->class != CLASS_BYTES) {
        slot->length = arg->kind == JSON_STRING ? arg->len : 0;
        return memory_from_json(memory, param->type, arg, slot->first);
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
    slot->first->pointer = (void *)(uintptr_t)bytes.ptr;
    slot->length = bytes.len;
    return value_from_size(param->length_type, bytes.len, second);
}

/* A buffer of its computed size, or a computed number. NULL, or what is wrong. */
static const char *compute(arena *memory, const param *param, frame *frame, slot *slot)
{
    uint64_t number = 0;
    const char *words =
        expression_value(memory, param->value != NULL ? param->value : param->size, look_up, frame, &number);
    if (words != NULL) {
        return words;
    }
    if (param->value != NULL) {
        value computed;
        words = value_from_size(param->type, (size_t)number, &computed);
        memcpy(slot->room != NULL ? slot->room : slot->first, &computed, param->type->bits / 8);
        return words;
    }
    if (number > BUFFER_MAX) {
        return "its size is over 64 MiB";
    }
    slot->length = number;
    slot->first->pointer = arena_alloc(memory, (size_t)number + 1);
    return NULL;
}

/* Adds what came back through a parameter. NULL, or what is wrong. */
static const char *give_back(arena *memory, text *out, const param *param, frame *frame, const slot *slot)
{
    text_str(out, ",");
    text_json_str(out, param->name);
    text_str(out, ":");
    if (param->type->class != CLASS_BUFFER) {
        memory_to_json(out, param->type, slot->room);
        return NULL;
    }
    uint64_t used = slot->length;
    const char *words = param->used == NULL ? NULL : expression_value(memory, param->used, look_up, frame, &used);
    if (words != NULL || used > slot->length) {
        return words != NULL ? words : "\"used\" is more than the buffer's size: the function wrote past its end, or failed";
    }
    if (param->is_base64) {
        text_str(out, "\"");
        base64_encode(out, slot->first->pointer, (size_t)used);
        text_str(out, "\"");
    } else {
        text_json(out, slot->first->pointer, (size_t)used);
    }
    return NULL;
}

static int32_t bad_result(pawl_attempt *attempt, const char *code, const char *words)
{
    pawl_failure failure = {.struct_size = sizeof(failure), .retry = PAWL_RETRY_NEVER, .code = borrow(code),
                            .message = borrow(words)};
    return attempt->host->fail(attempt, &failure);
}

static int32_t finish(arena *memory, pawl_attempt *attempt, frame *frame, int error)
{
    const function *function = frame->function;
    text out = {.memory = memory};
    text_str(&out, "{\"result\":");
    memory_to_json(&out, function->result, frame->result);
    if (function->wants_errno) {
        text_format(&out, ",\"errno\":%d", error);
        if (error != 0) {
            text_str(&out, ",\"error\":");
            text_json_str(&out, strerror(error));
        }
    }
    for (unsigned i = 0; i < function->param_count; i++) {
        const param *param = &function->params[i];
        if (param->direction != GOES_IN || param->type->class == CLASS_BUFFER) {
            const char *words = give_back(memory, &out, param, frame, &frame->slots[i]);
            if (words != NULL) {
                text message = {.memory = memory};
                text_format(&message, "%s: %s", param->name, words);
                return bad_result(attempt, "bad_result", message.bytes);
            }
        }
    }
    text_str(&out, "}");
    if (function->free_address != NULL) {
        void *pointer;
        memcpy(&pointer, frame->result, sizeof(pointer));
        if (pointer != NULL) {
            ((void (*)(void *))function->free_address)(pointer);
        }
    }
    pawl_str json = {out.bytes, out.len};
    int32_t status = attempt->host->result_json(attempt, json);
    return status == PAWL_E_LIMIT ? bad_result(attempt, "result_too_large", "the host refused the result: too large") : status;
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
    frame frame = {.function = function};
    unsigned count = 0;
    memset(values, 0, sizeof(values));
    for (unsigned i = 0; i < function->param_count; i++) {
        const param *param = &function->params[i];
        slot *slot = &frame.slots[i];
        slot->first = &values[count];
        addresses[count] = slot->first;
        if (param->direction != GOES_IN || param->type->class == CLASS_STRUCT) {
            slot->room = arena_alloc(memory, param->type->ffi->size);
            slot->first->pointer = slot->room;
            addresses[count] = param->direction == GOES_IN ? slot->room : (void *)slot->first;
        }
        if (param->type->class == CLASS_BYTES) {
            addresses[count + 1] = &values[count + 1];
        }
        const json *arg = param->is_const || !param_is_arg(param) ? NULL : json_member(args, param->name);
        arg = arg == NULL ? param->fallback : arg;
        if (arg == NULL && param_is_arg(param)) {
            return refuse(memory, attempt, param->name, "is missing");
        }
        words = arg == NULL ? NULL : fill(memory, param, arg, slot, &values[count + 1]);
        if (words != NULL) {
            return refuse(memory, attempt, param->name, words);
        }
        count += param->type->class == CLASS_BYTES ? 2 : 1;
    }
    /* Buffers first: their sizes are what computed numbers usually are. */
    for (int numbers = 0; numbers <= 1; numbers++) {
        for (unsigned i = 0; i < function->param_count; i++) {
            const param *param = &function->params[i];
            if (numbers ? param->value != NULL : param->type->class == CLASS_BUFFER) {
                words = compute(memory, param, &frame, &frame.slots[i]);
                if (words != NULL) {
                    return refuse(memory, attempt, param->name, words);
                }
            }
        }
    }
    /* At least a register: libffi widens narrower whole numbers to ffi_arg. */
    size_t size = function->result->ffi->size > sizeof(value) ? function->result->ffi->size : sizeof(value);
    void *result = arena_alloc(memory, size);
    errno = 0;
    ffi_call((ffi_cif *)(uintptr_t)&function->cif, function->address, result, addresses);
    int error = errno;
    frame.result = result;
    return finish(memory, attempt, &frame, error);
}

int32_t call_function(void *user, pawl_attempt *attempt, pawl_bytes args)
{
    arena memory = {NULL};
    int32_t status = call(&memory, user, attempt, args);
    arena_free(&memory);
    return status;
}
