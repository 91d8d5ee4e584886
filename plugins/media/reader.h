/* reader.h - what a file says about itself: images by their headers, everything else by libavformat, cameras' notes by libexif. */
#ifndef PAWL_MEDIA_READER_H
#define PAWL_MEDIA_READER_H

#include <pawl.h>
#include <stdint.h>

#include "../common/author.h"

typedef enum outcome {
    DESCRIBED,
    NO_MEDIA, /* neither picture nor sound nor film, as far as can be seen */
    READ_FAILED, /* errno */
    CANCELLED
} outcome;

typedef struct description {
    const char *kind;   /* "image", "audio", "video", "subtitles", "other" */
    text members;       /* ,"name":value… behind the kind */
    char warning[256];  /* what is odd about the file; empty: nothing */
    uint64_t read_bytes;
    int64_t duration_ms;
} description;

/* Once per process: the library's own messages become warnings. */
void reader_start(void);
/* Reads at most `budget` bytes of the file; what is known by then is told. Opens nothing else, whatever the file names. */
outcome describe(pawl_attempt *attempt, int fd, uint64_t size, uint64_t budget, description *d);
/* DESCRIBED where it is a JPEG, PNG, GIF or WebP. */
outcome describe_image(int fd, uint64_t size, description *d);
/* ,"name":"value", unless there is none. */
void put_text(text *t, const char *name, const char *value);
void put_number(text *t, const char *name, int64_t value);

#endif
