/* reader.h - RFC 4180 records from a descriptor, streaming: memory for one record, not for the file. */
#ifndef CSV_READER_H
#define CSV_READER_H

#include <stddef.h>
#include <stdint.h>

#define READER_BUFFER (256u << 10)
#define RECORD_MAX (16u << 20) /* bytes; more is an unterminated quote */
#define FIELDS_MAX 10000

typedef struct field {
    size_t start, length; /* in record.bytes */
    int quoted;
} field;

typedef struct record {
    char *bytes;
    size_t length, capacity;
    field *fields;
    size_t count, field_capacity;
    uint64_t line;     /* of its first byte, from 1 */
    const char *fault; /* what is malformed about it, or NULL */
} record;

enum reader_answer { READER_RECORD, READER_END, READER_IO, READER_TOO_LONG, READER_MEMORY };

typedef struct reader {
    int fd;
    char delimiter;
    int quote;         /* -1: none */
    uint64_t line;
    uint64_t bytes;    /* read so far */
    char *buffer;
    size_t at, filled;
    int error;         /* errno, for READER_IO */
    int ended;
} reader;

/* 0 or -1: no memory. */
int reader_open(reader *r, int fd, char delimiter, int quote);
/* The next record. Lines end with LF or CRLF; a BOM at the start is skipped; quoted fields may hold line breaks and
 * doubled quotes. A record with no byte at all has one empty field. */
enum reader_answer reader_next(reader *r, record *rec);
void reader_close(reader *r, record *rec);

#endif
