/* writer.h - a file that appears whole or not at all, as JSON Lines, with its SHA-256. */
#ifndef CSV_WRITER_H
#define CSV_WRITER_H

#include "sha256.h"

#define WRITER_BUFFER (256u << 10)

typedef struct writer {
    int fd;
    int in_place;      /* the output is a device or a pipe: written directly */
    char *path;        /* of the output */
    char *temporary;   /* written first, renamed at the end */
    char *buffer;
    size_t filled;
    uint64_t bytes;
    uint64_t repaired; /* texts that were not UTF-8 */
    sha256 hash;
    int error;         /* the first errno, or 0; later calls do nothing then */
} writer;

/* Begins `path` as a temporary file beside it whose name carries `tag`. The errors of all functions are in w->error. */
void writer_open(writer *w, const char *path, const char *tag);
void writer_put(writer *w, const char *bytes, size_t length);
/* A JSON string with quotes; what is not UTF-8 becomes U+FFFD. */
void writer_put_string(writer *w, const char *bytes, size_t length);
/* Makes the file durable and gives it its name; fills hex with the digest of its bytes. */
void writer_commit(writer *w, char hex[65]);
/* Frees; removes the temporary file unless it was committed. */
void writer_close(writer *w);

/* Escapes into `out`, which must have room for 6 bytes per byte. Returns the length; *repaired is set where U+FFFD
 * stands for something. */
size_t json_escape(const char *bytes, size_t length, char *out, int *repaired);

#endif
