/* csv.c - csv.to_jsonl: a CSV file (RFC 4180, any ASCII delimiter) becomes JSON Lines, an object of strings per record.
 *
 * reader.c splits records, columns.c knows the names, writer.c writes, options.c reads the args; here they meet, with
 * the host's calls for progress, log, cancellation and the result. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "columns.h"
#include "options.h"
#include "reader.h"
#include "writer.h"

#define ERRORS_LOGGED 20
#define ROWS_BETWEEN_LOOKS 1024 /* at cancellation and progress */

typedef struct conversion {
    pawl_attempt *attempt;
    options options;
    reader reader;
    record record;
    columns columns;
    writer writer;
    uint64_t rows, errors, told_rows, told_errors, told_bytes;
} conversion;

/* Tells what has been done since the last time. */
static void tell(conversion *c) {
    const pawl_host *host = c->attempt->host;
    host->advance(c->attempt, c->reader.bytes - c->told_bytes);
    if (c->rows > c->told_rows) host->count(c->attempt, PAWL_STR("rows"), (int64_t)(c->rows - c->told_rows));
    if (c->errors > c->told_errors) host->count(c->attempt, PAWL_STR("errors"), (int64_t)(c->errors - c->told_errors));
    c->told_bytes = c->reader.bytes;
    c->told_rows = c->rows;
    c->told_errors = c->errors;
}

/* A record that cannot be converted: skipped and counted, or in strict mode the end. */
static int32_t malformed(conversion *c, const char *what) {
    if (c->options.strict)
        return fail_with(c->attempt, "csv_malformed", PAWL_RETRY_NEVER, "line %" PRIu64 ": %s", c->record.line, what);
    if (++c->errors <= ERRORS_LOGGED) {
        char line[256], fields[64];
        int length = snprintf(line, sizeof line, "line %" PRIu64 " skipped: %s%s", c->record.line, what,
                              c->errors == ERRORS_LOGGED ? " (further ones are only counted)" : "");
        int fields_length = snprintf(fields, sizeof fields, "{\"line\":%" PRIu64 "}", c->record.line);
        c->attempt->host->log(c->attempt, PAWL_LOG_WARNING, (pawl_str){line, (size_t)length},
                              (pawl_str){fields, (size_t)fields_length});
    }
    return PAWL_OK;
}

static int32_t convert_record(conversion *c) {
    const record *rec = &c->record;
    char what[96];
    if (rec->fault != NULL) return malformed(c, rec->fault);
    bool is_empty = rec->count == 1 && rec->length == 0 && !rec->fields[0].quoted;
    if (is_empty && c->columns.count > 1) return PAWL_OK; /* an empty line; in one column it is a value */
    if (rec->count != c->columns.count) {
        snprintf(what, sizeof what, "%zu fields, where %zu are named", rec->count, c->columns.count);
        return malformed(c, what);
    }
    size_t prefix = 0;
    for (size_t i = 0; i < rec->count; i++) {
        const field *f = &rec->fields[i];
        const char *bytes = rec->bytes + f->start;
        writer_put(&c->writer, c->columns.bytes + prefix, c->columns.ends[i] - prefix);
        prefix = c->columns.ends[i];
        if (c->options.has_null && !f->quoted && f->length == c->options.null_text.len &&
            memcmp(bytes, c->options.null_text.ptr, f->length) == 0) writer_put(&c->writer, "null", 4);
        else writer_put_string(&c->writer, bytes, f->length);
    }
    writer_put(&c->writer, "}\n", 2);
    c->rows++;
    return PAWL_OK;
}

static int32_t cannot_write(conversion *c) {
    return fail_with(c->attempt, "csv_output", PAWL_RETRY_BY_POLICY, "cannot write %s: %s", c->options.output.ptr,
                     strerror(c->writer.error));
}

static int32_t cannot_read(conversion *c, int error) {
    return fail_with(c->attempt, "csv_input", PAWL_RETRY_BY_POLICY, "cannot read %s: %s", c->options.input.ptr,
                     strerror(error));
}

/* The first record gives names, or at least their number. */
static int32_t begin(conversion *c) {
    enum reader_answer answer = READER_END;
    if (c->options.name_count > 0) {
        int32_t status = columns_from_args(c->attempt, &c->options, &c->columns);
        if (status != PAWL_OK || !c->options.header) return status;
        answer = reader_next(&c->reader, &c->record); /* given names stand in for those of the header */
        if (answer == READER_RECORD || answer == READER_END) return PAWL_OK;
        if (answer == READER_IO) return cannot_read(c, c->reader.error);
        return fail_with(c->attempt, "csv_malformed", PAWL_RETRY_NEVER, "line %" PRIu64 ": the header is longer than 16 MiB",
                         c->record.line);
    }
    answer = reader_next(&c->reader, &c->record);
    if (answer == READER_END) return PAWL_OK;
    if (answer == READER_IO) return cannot_read(c, c->reader.error);
    if (answer != READER_RECORD || c->record.fault != NULL)
        return fail_with(c->attempt, "csv_malformed", PAWL_RETRY_NEVER, "line %" PRIu64 ": %s", c->record.line,
                         c->record.fault != NULL ? c->record.fault : "the first record is longer than 16 MiB");
    int32_t status = columns_from_record(c->attempt, &c->options, &c->record, &c->columns);
    return status != PAWL_OK || c->options.header ? status : convert_record(c);
}

static int32_t convert(conversion *c) {
    int32_t status = begin(c);
    for (uint64_t seen = 1; status == PAWL_OK; seen++) {
        if (seen % ROWS_BETWEEN_LOOKS == 0) {
            tell(c);
            if (c->attempt->host->is_cancelled(c->attempt)) return PAWL_E_CANCELLED;
        }
        switch (reader_next(&c->reader, &c->record)) {
        case READER_RECORD: status = convert_record(c); break;
        case READER_END: return c->writer.error == 0 ? PAWL_OK : cannot_write(c);
        case READER_IO: return cannot_read(c, c->reader.error);
        case READER_TOO_LONG:
            return fail_with(c->attempt, "csv_malformed", PAWL_RETRY_NEVER,
                             "line %" PRIu64 ": the record is longer than 16 MiB; a quote is probably not closed",
                             c->record.line);
        case READER_MEMORY:
            return fail_with(c->attempt, "csv_memory", PAWL_RETRY_BY_POLICY, "out of memory for a record");
        }
        if (c->writer.error != 0) return cannot_write(c);
    }
    return status;
}

static int32_t report(conversion *c, const char *digest) {
    size_t room = c->options.output.len * 6 + 512;
    char *json = malloc(room);
    int repaired = 0;
    if (json == NULL) return PAWL_E_LIMIT;
    int length = snprintf(json, room,
                          "{\"rows\":%" PRIu64 ",\"errors\":%" PRIu64 ",\"repaired\":%" PRIu64 ",\"bytes_in\":%" PRIu64
                          ",\"bytes_out\":%" PRIu64 ",\"sha256\":\"%s\",\"output\":\"",
                          c->rows, c->errors, c->writer.repaired, c->reader.bytes, c->writer.bytes, digest);
    size_t end = (size_t)length + json_escape(c->options.output.ptr, c->options.output.len, json + length, &repaired);
    memcpy(json + end, "\"}", 2);
    int32_t status = c->attempt->host->result_json(c->attempt, (pawl_str){json, end + 2});
    free(json);
    return status;
}

static int32_t convert_files(conversion *c, int input) {
    const pawl_host *host = c->attempt->host;
    struct stat info;
    char digest[65];
    if (fstat(input, &info) != 0) return cannot_read(c, errno);
    if (S_ISDIR(info.st_mode)) return cannot_read(c, EISDIR);
    host->set_stage(c->attempt, PAWL_STR("Converting"));
    host->set_total(c->attempt, S_ISREG(info.st_mode) ? (uint64_t)info.st_size : PAWL_TOTAL_UNKNOWN, PAWL_STR("bytes"));
    pawl_str run = host->run_id(c->attempt);
    writer_open(&c->writer, c->options.output.ptr, run.len > 0 ? run.ptr : "run");
    if (c->writer.error != 0) return cannot_write(c);
    int32_t status = convert(c);
    tell(c);
    if (status != PAWL_OK) return status;
    writer_commit(&c->writer, digest);
    return c->writer.error != 0 ? cannot_write(c) : report(c, digest);
}

static int32_t to_jsonl(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user;
    (void)json;
    conversion c = {.attempt = attempt, .writer = {.fd = -1}};
    int32_t status = options_read(attempt, &c.options);
    if (status != PAWL_OK) return status;
    int input = open(c.options.input.ptr, O_RDONLY | O_CLOEXEC);
    if (input < 0) return cannot_read(&c, errno);
    if (reader_open(&c.reader, input, c.options.delimiter, c.options.quote) != 0)
        status = fail_with(attempt, "csv_memory", PAWL_RETRY_BY_POLICY, "out of memory");
    else status = convert_files(&c, input);
    writer_close(&c.writer);
    reader_close(&c.reader, &c.record);
    columns_free(&c.columns);
    close(input);
    return status;
}

static const pawl_handler handlers[] = {
    {.struct_size = sizeof(pawl_handler), .name = "csv.to_jsonl",
     .description = "Converts a CSV file to JSON Lines: one object of strings per record.",
     .args_schema = CSV_ARGS_SCHEMA, .result_schema = CSV_RESULT_SCHEMA, .run = to_jsonl}};

static const pawl_plugin plugin = {
    .struct_size = sizeof plugin, .abi_major = PAWL_ABI_MAJOR, .abi_minor = PAWL_ABI_MINOR,
    .handler_size = sizeof(pawl_handler), .name = "csv", .version = "1.0.0", .handlers = handlers,
    .handler_count = sizeof handlers / sizeof handlers[0]};

const pawl_plugin *pawl_plugin_entry(const pawl_host *host, uint32_t abi_major, uint32_t abi_minor,
                                     uint32_t host_size) {
    (void)abi_minor;
    (void)host_size;
    if (abi_major != PAWL_ABI_MAJOR) return NULL;
    args = host->get_extension(host, PAWL_EXT_ARGS);
    if (args == NULL) host->log(NULL, PAWL_LOG_ERROR, PAWL_STR("this host has no pawl.args/1"), PAWL_NO_STR);
    return args == NULL ? NULL : &plugin;
}
