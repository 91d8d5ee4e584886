/* reader.c - runs of plain bytes are found and copied at once; single steps only at quotes, delimiters and line
 * ends. */
#include "reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PLAIN, QUOTED, BEHIND_QUOTE, BEHIND_CR /* behind a closing quote */ };

int reader_open(reader *r, int fd, char delimiter, int quote) {
    *r = (reader){.fd = fd, .delimiter = delimiter, .quote = quote, .line = 1};
    r->buffer = malloc(READER_BUFFER);
    return r->buffer == NULL ? -1 : 0;
}

void reader_close(reader *r, record *rec) {
    free(r->buffer);
    free(rec->bytes);
    free(rec->fields);
}

/* 1 more bytes, 0 end, -1 error. */
static int fill(reader *r) {
    ssize_t got;
    if (r->ended) return 0;
    do got = read(r->fd, r->buffer, READER_BUFFER);
    while (got < 0 && errno == EINTR);
    if (got < 0) {
        r->error = errno;
        return -1;
    }
    r->at = 0;
    r->filled = (size_t)got;
    if (r->bytes == 0 && got >= 3 && memcmp(r->buffer, "\xEF\xBB\xBF", 3) == 0) r->at = 3;
    r->bytes += (uint64_t)got;
    r->ended = got == 0;
    return got > 0;
}

static int append(record *rec, const char *bytes, size_t length) {
    if (rec->capacity - rec->length < length) {
        size_t capacity = rec->capacity == 0 ? 4096 : rec->capacity;
        while (capacity - rec->length < length) capacity *= 2;
        char *larger = realloc(rec->bytes, capacity);
        if (larger == NULL) return -1;
        rec->bytes = larger;
        rec->capacity = capacity;
    }
    memcpy(rec->bytes + rec->length, bytes, length);
    rec->length += length;
    return 0;
}

static int end_field(record *rec, size_t start, int quoted) {
    if (rec->count == FIELDS_MAX) {
        rec->fault = "more than 10,000 fields";
        return 0;
    }
    if (rec->count == rec->field_capacity) {
        size_t capacity = rec->field_capacity == 0 ? 64 : rec->field_capacity * 2;
        field *larger = realloc(rec->fields, capacity * sizeof *larger);
        if (larger == NULL) return -1;
        rec->fields = larger;
        rec->field_capacity = capacity;
    }
    rec->fields[rec->count++] = (field){start, rec->length - start, quoted};
    return 0;
}

/* How many bytes from `at` need no step of their own. */
static size_t plain_run(const reader *r) {
    const char *at = r->buffer + r->at, *end = r->buffer + r->filled, *start = at;
    char delimiter = r->delimiter, quote = r->quote < 0 ? '\n' : (char)r->quote;
    while (at < end && *at != delimiter && *at != '\n' && *at != quote) at++;
    return (size_t)(at - start);
}

static size_t quoted_run(reader *r) {
    const char *start = r->buffer + r->at;
    size_t left = r->filled - r->at;
    const char *end = memchr(start, r->quote, left);
    size_t length = end == NULL ? left : (size_t)(end - start);
    for (const char *at = start; (at = memchr(at, '\n', length - (size_t)(at - start))) != NULL; at++) r->line++;
    return length;
}

enum reader_answer reader_next(reader *r, record *rec) {
    int state = PLAIN, any = 0, quoted = 0;
    size_t start = 0;
    rec->length = rec->count = 0;
    rec->fault = NULL;
    rec->line = r->line;
    for (;;) {
        if (r->at == r->filled) {
            int more = fill(r);
            if (more < 0) return READER_IO;
            if (more > 0) continue;
            if (!any) return READER_END;
            if (state == QUOTED) rec->fault = "a quoted field is not closed before the end of the file";
            return end_field(rec, start, quoted) == 0 ? READER_RECORD : READER_MEMORY;
        }
        any = 1;
        if (rec->length > RECORD_MAX) return READER_TOO_LONG;
        size_t run = state == PLAIN ? plain_run(r) : state == QUOTED ? quoted_run(r) : 0;
        if (run > 0) {
            if (append(rec, r->buffer + r->at, run) != 0) return READER_MEMORY;
            r->at += run;
            continue;
        }
        char c = r->buffer[r->at++];
        if (state == QUOTED) { /* c is the quote */
            state = BEHIND_QUOTE;
            continue;
        }
        if (state == BEHIND_QUOTE && c == (char)r->quote) { /* doubled: one of them is text */
            if (append(rec, &c, 1) != 0) return READER_MEMORY;
            state = QUOTED;
            continue;
        }
        if (c == '\n') {
            r->line++;
            /* The CR of a CRLF was taken for text. */
            if (state == PLAIN && rec->length > start && rec->bytes[rec->length - 1] == '\r') rec->length--;
            return end_field(rec, start, quoted) == 0 ? READER_RECORD : READER_MEMORY;
        }
        if (c == r->delimiter && state != BEHIND_CR) {
            if (end_field(rec, start, quoted) != 0) return READER_MEMORY;
            start = rec->length;
            state = PLAIN;
            quoted = 0;
            continue;
        }
        if (state == PLAIN && rec->length == start && !quoted) { /* c is a quote at the start of a field */
            state = QUOTED;
            quoted = 1;
            continue;
        }
        if (state == BEHIND_QUOTE && c == '\r') {
            state = BEHIND_CR;
            continue;
        }
        if (state == BEHIND_QUOTE || state == BEHIND_CR) rec->fault = "text behind a closing quote";
        else if (!quoted && c == (char)r->quote) rec->fault = "a quote inside a field that does not begin with one";
        if (append(rec, &c, 1) != 0) return READER_MEMORY;
        state = PLAIN;
    }
}
