/* writer.c - buffered output, hashed as it leaves the buffer. */
#include "writer.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void writer_open(writer *w, const char *path, const char *tag) {
    struct stat status;
    *w = (writer){.fd = -1};
    sha256_init(&w->hash);
    w->path = strdup(path);
    w->buffer = malloc(WRITER_BUFFER);
    size_t length = strlen(path) + strlen(tag) + 8;
    char *temporary = malloc(length);
    if (w->path == NULL || w->buffer == NULL || temporary == NULL) {
        free(temporary);
        w->error = ENOMEM;
        return;
    }
    snprintf(temporary, length, "%s.%s.tmp", path, tag);
    /* A rename would put a file in the place of /dev/null. */
    w->in_place = stat(path, &status) == 0 && !S_ISREG(status.st_mode);
    if (w->in_place) w->fd = open(path, O_WRONLY | O_CLOEXEC);
    else w->fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (w->fd < 0) w->error = errno;
    if (w->fd < 0 || w->in_place) free(temporary);
    else w->temporary = temporary;
}

static void flush(writer *w) {
    size_t done = 0;
    while (done < w->filled && w->error == 0) {
        ssize_t got = write(w->fd, w->buffer + done, w->filled - done);
        if (got >= 0) done += (size_t)got;
        else if (errno != EINTR) w->error = errno;
    }
    sha256_update(&w->hash, w->buffer, w->filled);
    w->bytes += w->filled;
    w->filled = 0;
}

void writer_put(writer *w, const char *bytes, size_t length) {
    while (length > 0 && w->error == 0) {
        size_t part = length < WRITER_BUFFER - w->filled ? length : WRITER_BUFFER - w->filled;
        memcpy(w->buffer + w->filled, bytes, part);
        w->filled += part;
        bytes += part;
        length -= part;
        if (w->filled == WRITER_BUFFER) flush(w);
    }
}

/* Length of the well-formed UTF-8 sequence at `at`, or 0. */
static size_t sequence_length(const unsigned char *at, size_t left) {
    unsigned char lead = at[0];
    size_t length = lead >= 0xC2 && lead <= 0xDF ? 2 : (lead & 0xF0) == 0xE0 ? 3 : lead >= 0xF0 && lead <= 0xF4 ? 4 : 0;
    if (length == 0 || length > left) return 0;
    for (size_t i = 1; i < length; i++) if ((at[i] & 0xC0) != 0x80) return 0;
    if ((lead == 0xE0 && at[1] < 0xA0) || (lead == 0xED && at[1] > 0x9F) || (lead == 0xF0 && at[1] < 0x90) ||
        (lead == 0xF4 && at[1] > 0x8F)) return 0;
    return length;
}

size_t json_escape(const char *bytes, size_t length, char *out, int *repaired) {
    static const char digits[] = "0123456789abcdef";
    char *to = out;
    for (size_t i = 0; i < length;) {
        unsigned char c = (unsigned char)bytes[i];
        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
            *to++ = (char)c;
            i++;
        } else if (c >= 0x80) {
            size_t sequence = sequence_length((const unsigned char *)bytes + i, length - i);
            if (sequence == 0) {
                memcpy(to, "\xEF\xBF\xBD", 3), to += 3;
                *repaired = 1;
                i++;
            } else {
                memcpy(to, bytes + i, sequence), to += sequence;
                i += sequence;
            }
        } else {
            char shorthand = c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\t' ? 't' : c < 0x20 ? 0 : (char)c;
            if (shorthand != 0) {
                *to++ = '\\';
                *to++ = shorthand;
            } else {
                memcpy(to, "\\u00", 4), to += 4;
                *to++ = digits[c >> 4];
                *to++ = digits[c & 15];
            }
            i++;
        }
    }
    return (size_t)(to - out);
}

void writer_put_string(writer *w, const char *bytes, size_t length) {
    enum { STEP = 8192 };
    char escaped[STEP * 6];
    int repaired = 0;
    writer_put(w, "\"", 1);
    while (length > 0) {
        size_t part = length < STEP ? length : STEP;
        /* No sequence may be cut: go back to its lead, if there is one near. */
        if (part < length)
            for (size_t back = 0; back < 3 && part > 1 && ((unsigned char)bytes[part] & 0xC0) == 0x80; back++) part--;
        /* Straight into the buffer, where it fits: the ordinary case. */
        if (w->error == 0 && part * 6 <= WRITER_BUFFER - w->filled)
            w->filled += json_escape(bytes, part, w->buffer + w->filled, &repaired);
        else writer_put(w, escaped, json_escape(bytes, part, escaped, &repaired));
        bytes += part;
        length -= part;
    }
    writer_put(w, "\"", 1);
    w->repaired += (uint64_t)repaired;
}

/* The name is durable only with its directory. */
static int sync_directory(const char *path) {
    char *copy = strdup(path);
    if (copy == NULL) return ENOMEM;
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(copy);
    if (fd < 0) return errno;
    int error = fsync(fd) == 0 || errno == EINVAL ? 0 : errno;
    close(fd);
    return error;
}

void writer_commit(writer *w, char hex[65]) {
    flush(w);
    sha256_finish(&w->hash, hex);
    if (w->error != 0 || w->in_place) return;
    if (fsync(w->fd) != 0 || rename(w->temporary, w->path) != 0) {
        w->error = errno;
        return;
    }
    free(w->temporary);
    w->temporary = NULL;
    w->error = sync_directory(w->path);
}

void writer_close(writer *w) {
    if (w->temporary != NULL) unlink(w->temporary);
    if (w->fd >= 0) close(w->fd);
    free(w->temporary);
    free(w->path);
    free(w->buffer);
}
