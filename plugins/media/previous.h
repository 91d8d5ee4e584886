/* previous.h - the lines of an earlier output, in the order in which they were written: by path. */
#ifndef PAWL_MEDIA_PREVIOUS_H
#define PAWL_MEDIA_PREVIOUS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct previous {
    FILE *file;
    char *line, *path; /* the current line, with its end; its path, unescaped. path is NULL: no more lines */
    size_t room, length;
    uint64_t size, ignored; /* ignored: lines that are not ours */
    int64_t mtime_us;
    int has_sha256;
} previous;

/* Without such a file there are no lines. 0, or errno. */
int previous_open(previous *p, const char *path);
void previous_next(previous *p);
void previous_close(previous *p);

#endif
