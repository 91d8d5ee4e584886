/* picture.h - an image in memory: decoded, made smaller, turned, and encoded again. */
#ifndef PAWL_IMAGE_PICTURE_H
#define PAWL_IMAGE_PICTURE_H

#include <pawl.h>
#include <stddef.h>
#include <stdint.h>

#define SIDE_MAX 16383 /* of a result: WebP's bound, the smallest of the three */

typedef enum format { FORMAT_NONE, FORMAT_JPEG, FORMAT_PNG, FORMAT_WEBP } format;
typedef enum fit { FIT_CONTAIN, FIT_COVER, FIT_FILL } fit;

/* What became of a step. The words are in `trouble`. */
typedef enum outcome {
    DONE,
    NOT_AN_IMAGE, /* none of the formats */
    TOO_LARGE,    /* over a limit */
    BROKEN,       /* the file's fault */
    OUT_OF_MEMORY,
    CANCELLED
} outcome;

typedef struct trouble {
    char words[256];
} trouble;

typedef struct wishes {
    uint32_t width, height; /* 0: as it comes */
    fit fit;
    int enlarge;
    uint64_t max_pixels;
    int quality;
    uint8_t background[3]; /* under what is transparent, where the format cannot be */
    int strict;            /* what the decoder has doubts about is broken */
} wishes;

/* 8 bits per channel, red, green, blue, alpha; rows without gaps. */
typedef struct picture {
    uint8_t *pixels;
    uint32_t width, height;
    uint32_t original_width, original_height; /* as the file says, before it is turned */
    int has_alpha;
    int orientation;      /* EXIF's 1 to 8 */
    uint8_t *profile;     /* ICC, of an RGB image; NULL: none */
    size_t profile_length;
    long warnings;        /* of the decoder */
    trouble warning;      /* the first of them */
} picture;

/* What is cut out of the source, and how large that becomes. */
typedef struct plan {
    double x, y, width, height;
    uint32_t out_width, out_height;
} plan;

typedef struct buffer {
    uint8_t *bytes;
    size_t length;
} buffer;

/* By its first bytes. */
format format_of(const uint8_t *bytes, size_t length);
const char *format_name(format f);

/* The header is checked against the limits before anything of its size is allocated. A JPEG that is much larger than what is wished for
 * is decoded at a half, a quarter or an eighth. */
outcome picture_decode(pawl_attempt *attempt, const wishes *w, format f, const uint8_t *bytes, size_t length, picture *p, trouble *t);
/* In the coordinates of the decoded pixels; the wishes are about the image when it is turned. */
plan plan_for(const wishes *w, uint32_t width, uint32_t height, int orientation);
/* Replaces the pixels. */
outcome picture_scale(pawl_attempt *attempt, const plan *way, picture *p, trouble *t);
/* Turns and mirrors until the orientation is 1. */
outcome picture_turn(picture *p, trouble *t);
/* The caller frees the bytes. */
outcome picture_encode(const wishes *w, format f, const picture *p, buffer *out, trouble *t);
void picture_free(picture *p);

/* 1 to 8 by an EXIF block (with or without its "Exif" mark); 1 where it does not say. */
int exif_orientation(const uint8_t *bytes, size_t length);

/* For the decoders: the limits, and the pixels. */
outcome picture_reserve(const wishes *w, picture *p, uint64_t width, uint64_t height, trouble *t);
/* Whether a file of that size may be read at all. */
outcome picture_admit(const wishes *w, picture *p, uint64_t width, uint64_t height, trouble *t);
void keep_profile(picture *p, const uint8_t *bytes, size_t length);
outcome decode_png(pawl_attempt *attempt, const wishes *w, const uint8_t *bytes, size_t length, picture *p, trouble *t);
outcome decode_webp(pawl_attempt *attempt, const wishes *w, const uint8_t *bytes, size_t length, picture *p, trouble *t);
outcome decode_jpeg(pawl_attempt *attempt, const wishes *w, const uint8_t *bytes, size_t length, picture *p, trouble *t);
outcome encode_jpeg(const wishes *w, const picture *p, buffer *out, trouble *t);
outcome encode_png(const picture *p, buffer *out, trouble *t);
outcome encode_webp(const wishes *w, const picture *p, buffer *out, trouble *t);

#endif
