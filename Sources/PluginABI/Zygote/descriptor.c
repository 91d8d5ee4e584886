/* descriptor.c - trusts no member of the descriptor; reads all of it through the kernel, which answers EFAULT where a
 * load of ours would crash. */
#include "descriptor.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define HANDLERS_MAX 1000
#define STRIDE_MAX 4096
#define NAME_MAX_BYTES 120
#define PLUGIN_NAME_MAX 64
#define DESCRIPTION_MAX 4096
#define SCHEMA_MAX (256u << 10)
/* Sizes at 1.0: nothing smaller was ever released. */
#define PLUGIN_SIZE_MIN (offsetof(pawl_plugin, get_extension) + sizeof(void *))
#define HANDLER_SIZE_MIN (offsetof(pawl_handler, reset) + sizeof(void *))
#define LIMITS_SIZE_MIN (offsetof(pawl_limits, term_grace_ms) + sizeof(uint64_t))
#define KNOWN_PLUGIN_FLAGS (PAWL_PF_REUSABLE | PAWL_PF_NEEDS_ATFORK | PAWL_PF_NO_FORK | PAWL_PF_NEEDS_MAIN_QUEUE)
#define KNOWN_HANDLER_FLAGS UINT64_C(0)
#define LOW_32 UINT64_C(0xFFFFFFFF)

typedef struct check {
    char *fault;
    uint32_t reason;
} check;

static bool fail(check *c, uint32_t reason, const char *format, ...) __attribute__((format(printf, 3, 4)));

static bool fail(check *c, uint32_t reason, const char *format, ...) {
    c->reason = reason;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(c->fault, DESCRIPTOR_FAULT_MAX, format, arguments);
    va_end(arguments);
    return false;
}

/* Copies up to `length` bytes from `from`; the number that could be read. */
static size_t peek(const void *from, void *to, size_t length) {
    size_t done = 0;
    while (done < length) {
        /* Page by page: a string may end right before one that is not mapped. */
        size_t page = 4096 - ((uintptr_t)from + done) % 4096;
        size_t part = length - done < page ? length - done : page;
        struct iovec local = {(char *)to + done, part}, remote = {(void *)((uintptr_t)from + done), part};
        ssize_t got = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
        if (got < 0 && errno != EFAULT) { /* a sandbox forbids the call: trust the plugin then */
            memcpy((char *)to + done, (const char *)from + done, part);
            got = (ssize_t)part;
        }
        if (got <= 0) break;
        done += (size_t)got;
        if ((size_t)got < part) break;
    }
    return done;
}

/* Copies a structure whose first word is its size; what is missing is zero. */
static bool take(check *c, const char *what, const void *from, void *to, size_t size, size_t minimum) {
    uint32_t its_size = 0;
    memset(to, 0, size);
    if (peek(from, &its_size, sizeof its_size) != sizeof its_size)
        return fail(c, PAWL_REFUSED_DESCRIPTOR, "%s: the pointer %p leads nowhere", what, from);
    if (its_size < minimum)
        return fail(c, PAWL_REFUSED_DESCRIPTOR, "%s.struct_size is %u, less than the %zu of ABI 1.0", what, its_size,
                    minimum);
    size_t length = its_size < size ? its_size : size;
    if (peek(from, to, length) != length)
        return fail(c, PAWL_REFUSED_DESCRIPTOR, "%s: struct_size is %u, but that much is not there", what, its_size);
    return true;
}

/* The length of a terminated text of at most `limit` bytes. */
static bool measure(check *c, const char *what, const char *from, size_t limit, size_t *length) {
    char bytes[4096];
    for (size_t done = 0; done <= limit;) {
        size_t part = limit + 1 - done < sizeof bytes ? limit + 1 - done : sizeof bytes;
        size_t got = peek(from + done, bytes, part);
        const char *end = memchr(bytes, 0, got);
        if (end != NULL) {
            *length = done + (size_t)(end - bytes);
            return true;
        }
        if (got < part)
            return fail(c, PAWL_REFUSED_DESCRIPTOR, "%s: the pointer %p leads nowhere", what, (const void *)from);
        done += got;
    }
    return fail(c, PAWL_REFUSED_DESCRIPTOR, "%s is longer than %zu bytes", what, limit);
}

static bool lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; }

/* [a-z0-9_]+(\.[a-z0-9_]+)+ */
static bool dotted(const char *name, size_t length) {
    bool dot = false, any = false;
    for (size_t i = 0; i < length; i++) {
        if (name[i] == '.') {
            if (!any) return false;
            dot = true;
            any = false;
        } else if (lower_or_digit(name[i])) any = true;
        else return false;
    }
    return dot && any;
}

static bool check_plugin(check *c, const pawl_plugin *p) {
    size_t length;
    if (p->abi_major != PAWL_ABI_MAJOR)
        return fail(c, PAWL_REFUSED_ABI, "built for ABI %u.%u; this host speaks %u.%u", p->abi_major, p->abi_minor,
                    PAWL_ABI_MAJOR, PAWL_ABI_MINOR);
    if ((p->flags & LOW_32 & ~KNOWN_PLUGIN_FLAGS) != 0)
        return fail(c, PAWL_REFUSED_DESCRIPTOR, "flags: this host does not know 0x%llx, which it must understand",
                    (unsigned long long)(p->flags & LOW_32 & ~KNOWN_PLUGIN_FLAGS));
    if (p->name == NULL) return fail(c, PAWL_REFUSED_DESCRIPTOR, "name is NULL");
    if (p->version == NULL) return fail(c, PAWL_REFUSED_DESCRIPTOR, "version is NULL");
    if (!measure(c, "name", p->name, PLUGIN_NAME_MAX, &length)) return false;
    for (size_t i = 0; i < length; i++)
        if (!lower_or_digit(p->name[i]) && p->name[i] != '.' && p->name[i] != '-')
            return fail(c, PAWL_REFUSED_DESCRIPTOR, "name \"%s\" has a character outside a-z 0-9 _ . -", p->name);
    if (length == 0) return fail(c, PAWL_REFUSED_DESCRIPTOR, "name is empty");
    if (!measure(c, "version", p->version, PLUGIN_NAME_MAX, &length)) return false;
    if (p->handler_count < 1 || p->handler_count > HANDLERS_MAX)
        return fail(c, PAWL_REFUSED_DESCRIPTOR, "handler_count is %u; 1 to %d are allowed", p->handler_count,
                    HANDLERS_MAX);
    if (p->handler_size < HANDLER_SIZE_MIN || p->handler_size > STRIDE_MAX || p->handler_size % 8 != 0)
        return fail(c, PAWL_REFUSED_DESCRIPTOR, "handler_size is %u; it must be sizeof(pawl_handler)", p->handler_size);
    if (p->handlers == NULL) return fail(c, PAWL_REFUSED_DESCRIPTOR, "handlers is NULL");
    return true;
}

/* Where a text stops being JSON, as editors count (line and column from 1), with what stands there: a literal in a source is often one
 * long line. */
static bool fail_json(check *c, const char *what, const char *json, size_t length, size_t bad) {
    size_t line = 1, start = 0, shown = 0;
    for (size_t i = 0; i < bad; i++) {
        if (json[i] != '\n') continue;
        line++;
        start = i + 1;
    }
    while (shown < 24 && bad + shown < length && json[bad + shown] >= ' ' && json[bad + shown] < 0x7f) shown++;
    return fail(c, PAWL_REFUSED_DESCRIPTOR, "%s is no valid JSON: line %zu, column %zu (byte %zu)%s%.*s", what, line, bad - start + 1, bad,
                bad == length ? ": it ends too early" : shown == 0 ? "" : ", at: ", (int)shown, json + bad);
}

/* "key":<JSON text> of a schema, or null. */
static bool add_schema(check *c, text *out, const char *handler, const char *key, const char *schema) {
    text_print(out, ",\"%s\":", key);
    if (schema == NULL) {
        text_add(out, "null", 4);
        return true;
    }
    char what[192];
    size_t length;
    snprintf(what, sizeof what, "%s of handler %s", key, handler);
    if (!measure(c, what, schema, SCHEMA_MAX, &length)) return false;
    size_t bad;
    json_type type = json_check_at(schema, length, &bad);
    if (type == JSON_INVALID) return fail_json(c, what, schema, length, bad);
    if (type != JSON_OBJECT && type != JSON_BOOL)
        return fail(c, PAWL_REFUSED_DESCRIPTOR, "%s is no JSON Schema (an object)", what);
    text_add(out, schema, length);
    return true;
}

static void add_limit(text *out, const char *name, uint64_t value) {
    if (value == 0) return;
    if (out->bytes != NULL && out->bytes[out->length - 1] != '{') text_add(out, ",", 1);
    text_print(out, "\"%s\":%llu", name, (unsigned long long)value);
}

static bool add_limits(check *c, text *out, const char *handler, const pawl_limits *limits) {
    text_print(out, ",\"limits\":{");
    if (limits != NULL) {
        char what[192];
        pawl_limits l;
        snprintf(what, sizeof what, "limits of handler %s", handler);
        if (!take(c, what, limits, &l, sizeof l, LIMITS_SIZE_MIN)) return false;
        add_limit(out, "attempts", l.attempts);
        add_limit(out, "wall_ms", l.wall_ms);
        add_limit(out, "cpu_ms", l.cpu_ms);
        add_limit(out, "memory_bytes", l.memory_bytes);
        add_limit(out, "output_bytes", l.output_bytes);
        add_limit(out, "file_bytes", l.file_bytes);
        add_limit(out, "open_files", l.open_files);
        add_limit(out, "processes", l.processes);
        add_limit(out, "cancel_grace_ms", l.cancel_grace_ms);
        add_limit(out, "term_grace_ms", l.term_grace_ms);
    }
    text_add(out, "}", 1);
    return true;
}

static bool check_handler(check *c, uint32_t index, const pawl_handler *h, loaded_plugin *loaded, text *out) {
    char what[64];
    size_t length, name_length;
    if (h->name == NULL) return fail(c, PAWL_REFUSED_DESCRIPTOR, "handler %u: name is NULL", index);
    snprintf(what, sizeof what, "handler %u: name", index);
    if (!measure(c, what, h->name, NAME_MAX_BYTES, &name_length)) return false;
    if (!dotted(h->name, name_length))
        return fail(c, PAWL_REFUSED_DESCRIPTOR,
                    "handler %u: the name \"%s\" is not like \"csv.to_jsonl\" (parts of a-z 0-9 _ with dots between)",
                    index, h->name);
    for (uint32_t i = 0; i < index; i++)
        if (strcmp(loaded->handlers[i].name, h->name) == 0)
            return fail(c, PAWL_REFUSED_DESCRIPTOR, "two handlers are named \"%s\"", h->name);
    if ((h->flags & LOW_32 & ~KNOWN_HANDLER_FLAGS) != 0)
        return fail(c, PAWL_REFUSED_DESCRIPTOR, "handler %s: this host does not know its flags 0x%llx", h->name,
                    (unsigned long long)(h->flags & LOW_32));
    if (h->run == NULL) return fail(c, PAWL_REFUSED_DESCRIPTOR, "handler %s: run is NULL", h->name);
    loaded->handlers[index] = (loaded_handler){.name = h->name, .user = h->user, .run = h->run, .reset = h->reset};

    text_add(out, ",", index > 0 ? 1 : 0);
    text_print(out, "{\"name\":\"%s\",\"description\":", h->name);
    if (h->description == NULL) text_add(out, "null", 4);
    else {
        snprintf(what, sizeof what, "handler %u: description", index);
        if (!measure(c, what, h->description, DESCRIPTION_MAX, &length)) return false;
        text_add_json(out, h->description, length);
    }
    if (!add_schema(c, out, h->name, "args_schema", h->args_schema)) return false;
    if (!add_schema(c, out, h->name, "result_schema", h->result_schema)) return false;
    if (!add_limits(c, out, h->name, h->limits)) return false;
    text_add(out, "}", 1);
    return true;
}

uint32_t descriptor_check(const pawl_plugin *descriptor, const elf_image *image, loaded_plugin *loaded,
                          char fault[DESCRIPTOR_FAULT_MAX]) {
    check c = {fault, 0};
    pawl_plugin *p = &loaded->plugin;
    text *out = &loaded->manifest;
    if (!take(&c, "pawl_plugin", descriptor, p, sizeof *p, PLUGIN_SIZE_MIN) || !check_plugin(&c, p)) return c.reason;
    loaded->handlers = calloc(p->handler_count, sizeof *loaded->handlers);
    if (loaded->handlers == NULL) {
        fail(&c, PAWL_REFUSED_DESCRIPTOR, "out of memory for %u handlers", p->handler_count);
        return c.reason;
    }
    text_print(out, "{\"name\":\"%s\",\"version\":", p->name);
    text_add_json(out, p->version, strlen(p->version));
    text_print(out, ",\"abi_major\":%u,\"abi_minor\":%u,\"flags\":%llu,\"handlers\":[", p->abi_major, p->abi_minor,
               (unsigned long long)p->flags);
    for (uint32_t i = 0; i < p->handler_count; i++) {
        char what[32];
        pawl_handler h;
        snprintf(what, sizeof what, "handler %u", i);
        const char *at = (const char *)p->handlers + (size_t)i * p->handler_size;
        if (!take(&c, what, at, &h, sizeof h, HANDLER_SIZE_MIN)) return c.reason;
        if (!check_handler(&c, i, &h, loaded, out)) return c.reason;
    }
    text_print(out, "],\"build_id\":");
    if (image->build_id[0] == 0) text_add(out, "null", 4);
    else text_add_json(out, image->build_id, strlen(image->build_id));
    text_print(out, ",\"needed\":[");
    text_add(out, image->needed.bytes, image->needed.length);
    text_add(out, "]}", 2);
    if (out->failed || image->needed.failed) {
        fail(&c, PAWL_REFUSED_DESCRIPTOR, "out of memory while writing the manifest");
        return c.reason;
    }
    return 0;
}
