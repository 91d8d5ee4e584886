/* author.h - what the plugins of this folder share: args with clear errors, failures in words, JSON that is built up. */
#ifndef PAWL_PLUGINS_AUTHOR_H
#define PAWL_PLUGINS_AUTHOR_H

#include <pawl.h>
#include <stddef.h>
#include <stdint.h>

/* The host's reader of args; set by AUTHOR_PLUGIN's entry. */
extern const pawl_ext_args *args;

/* Ends the attempt with a code and a formatted message; returns what run() has to return. */
int32_t fail_with(pawl_attempt *attempt, const char *code, int32_t retry, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same, with a time before which another attempt makes no sense (ms since 1970, or 0) and details (JSON, or NULL). */
int32_t fail_later(pawl_attempt *attempt, const char *code, int32_t retry, int64_t not_before_unix_ms,
                   const char *details_json, const char *format, ...) __attribute__((format(printf, 6, 7)));

/* The arg `key` is wrong; `must` ends the sentence that begins with its name. Returns PAWL_E_INVALID_INPUT. */
int32_t wrong(pawl_attempt *attempt, const char *key, const char *must);

/* A line of the run's log. */
void log_line(pawl_attempt *attempt, int32_t level, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* An absolute path. PAWL_OK; PAWL_E_NOT_FOUND where it may be absent and is; else a failure that has been told. */
int32_t read_path(pawl_attempt *attempt, const char *key, int required, pawl_str *path);

/* A text without zero bytes. As read_path. */
int32_t read_text(pawl_attempt *attempt, const char *key, int required, pawl_str *value);

/* An array of texts without zero bytes as a terminated list of pointers, which live until run() returns; free() the list. An
 * absent one is an empty list. */
int32_t read_list(pawl_attempt *attempt, const char *key, size_t limit, const char ***list, size_t *count);

/* Returns from the function unless the status is PAWL_OK, or of an arg that is absent. */
#define TRY(call)                                                                                                     \
    do {                                                                                                              \
        int32_t status_of_call = (call);                                                                              \
        if (status_of_call != PAWL_OK && status_of_call != PAWL_E_NOT_FOUND) return status_of_call;                   \
    } while (0)

/* Text that grows. A failed allocation is remembered, and everything after it does nothing. */
typedef struct text {
    char *bytes;
    size_t length, room;
    int failed;
} text;

void text_put(text *t, const char *bytes, size_t length);
void text_format(text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A JSON string with its quotes; what is not UTF-8 becomes U+FFFD. */
void text_string(text *t, const char *bytes, size_t length);
/* Gives it as the run's result, and frees it. */
int32_t text_result(text *t, pawl_attempt *attempt);
void text_free(text *t);

/* A temporary name beside `path`, with the run's id in it; to be freed. NULL: no memory. */
char *temporary_name(pawl_attempt *attempt, const char *path);
/* Makes the file durable, and gives it its name. 0, or errno. Does not close. */
int commit_file(int fd, const char *temporary, const char *path);
/* All of it. 0, or errno. */
int write_all(int fd, const void *bytes, size_t length);

/* The entry of a plugin of handlers that read args. */
#define AUTHOR_PLUGIN(plugin_name, plugin_version, handler_array, plugin_init, plugin_child_start)                    \
    const pawl_plugin *pawl_plugin_entry(const pawl_host *host, uint32_t abi_major, uint32_t abi_minor,              \
                                         uint32_t host_size) {                                                        \
        static const pawl_plugin descriptor = {                                                                       \
            .struct_size = sizeof descriptor, .abi_major = PAWL_ABI_MAJOR, .abi_minor = PAWL_ABI_MINOR,               \
            .handler_size = sizeof(pawl_handler), .name = (plugin_name), .version = (plugin_version),                 \
            .handlers = (handler_array), .handler_count = sizeof(handler_array) / sizeof((handler_array)[0]),         \
            .init = (plugin_init), .child_start = (plugin_child_start)};                                              \
        (void)abi_minor;                                                                                              \
        (void)host_size;                                                                                              \
        if (abi_major != PAWL_ABI_MAJOR) return NULL;                                                                 \
        args = host->get_extension(host, PAWL_EXT_ARGS);                                                              \
        if (args == NULL) host->log(NULL, PAWL_LOG_ERROR, PAWL_STR("this host has no pawl.args/1"), PAWL_NO_STR);     \
        return args == NULL ? NULL : &descriptor;                                                                     \
    }

#define SCHEMA_HEAD "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"object\",\"properties\":{"
#define SCHEMA_PATH "\"type\":\"string\",\"pattern\":\"^/\""

#endif
