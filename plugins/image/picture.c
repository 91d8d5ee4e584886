/* picture.c - what the formats have in common, and the geometry. */
#include "picture.h"

#include <inttypes.h>
#include <libexif/exif-data.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROFILE_MAX (4u << 20) /* the largest in use are about 2 MiB */
#define EXIF_MAX (1u << 20)

format format_of(const uint8_t *bytes, size_t length) {
    if (length >= 3 && memcmp(bytes, "\xFF\xD8\xFF", 3) == 0) return FORMAT_JPEG;
    if (length >= 8 && memcmp(bytes, "\x89PNG\r\n\x1A\n", 8) == 0) return FORMAT_PNG;
    if (length >= 12 && memcmp(bytes, "RIFF", 4) == 0 && memcmp(bytes + 8, "WEBP", 4) == 0) return FORMAT_WEBP;
    return FORMAT_NONE;
}

const char *format_name(format f) {
    static const char *const names[] = {"", "jpeg", "png", "webp"};
    return names[f];
}

outcome picture_admit(const wishes *w, picture *p, uint64_t width, uint64_t height, trouble *t) {
    p->original_width = (uint32_t)width;
    p->original_height = (uint32_t)height;
    if (width == 0 || height == 0) {
        snprintf(t->words, sizeof t->words, "it has no pixels");
        return BROKEN;
    }
    /* Both have at most 32 bits: the product fits. */
    if (width * height > w->max_pixels) {
        snprintf(t->words, sizeof t->words, "%" PRIu64 " x %" PRIu64 " pixels are more than max_pixels, %" PRIu64, width, height, w->max_pixels);
        return TOO_LARGE;
    }
    return DONE;
}

outcome picture_reserve(const wishes *w, picture *p, uint64_t width, uint64_t height, trouble *t) {
    if (width * height > w->max_pixels || width > UINT32_MAX || height > UINT32_MAX) {
        snprintf(t->words, sizeof t->words, "%" PRIu64 " x %" PRIu64 " pixels are more than max_pixels, %" PRIu64, width, height, w->max_pixels);
        return TOO_LARGE;
    }
    p->pixels = malloc(width * height * 4);
    p->width = (uint32_t)width;
    p->height = (uint32_t)height;
    if (p->pixels != NULL) return DONE;
    snprintf(t->words, sizeof t->words, "no memory for %" PRIu64 " x %" PRIu64 " pixels", width, height);
    return OUT_OF_MEMORY;
}

void keep_profile(picture *p, const uint8_t *bytes, size_t length) {
    /* Bytes 16 to 19 name the colour space; what is written is always RGB. */
    if (p->profile != NULL || bytes == NULL || length < 128 || length > PROFILE_MAX || memcmp(bytes + 16, "RGB ", 4) != 0) return;
    p->profile = malloc(length);
    if (p->profile == NULL) return;
    memcpy(p->profile, bytes, length);
    p->profile_length = length;
}

int exif_orientation(const uint8_t *bytes, size_t length) {
    int orientation = 1;
    if (length < 8 || length > EXIF_MAX) return orientation;
    /* libexif wants the mark that only JPEG has. */
    size_t mark = memcmp(bytes, "Exif\0\0", 6) == 0 ? 0 : 6;
    uint8_t *block = malloc(length + mark);
    if (block == NULL) return orientation;
    memcpy(block, "Exif\0\0", 6);
    memcpy(block + mark, bytes, length);
    ExifData *data = exif_data_new_from_data(block, (unsigned)(length + mark));
    ExifEntry *entry = data == NULL ? NULL : exif_content_get_entry(data->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
    if (entry != NULL && entry->format == EXIF_FORMAT_SHORT && entry->size >= 2) {
        int value = exif_get_short(entry->data, exif_data_get_byte_order(data));
        if (value >= 1 && value <= 8) orientation = value;
    }
    if (data != NULL) exif_data_unref(data);
    free(block);
    return orientation;
}

outcome picture_decode(pawl_attempt *attempt, const wishes *w, format f, const uint8_t *bytes, size_t length, picture *p, trouble *t) {
    p->orientation = 1;
    switch (f) {
    case FORMAT_JPEG: return decode_jpeg(attempt, w, bytes, length, p, t);
    case FORMAT_PNG: return decode_png(attempt, w, bytes, length, p, t);
    case FORMAT_WEBP: return decode_webp(attempt, w, bytes, length, p, t);
    case FORMAT_NONE: break;
    }
    snprintf(t->words, sizeof t->words, "it is neither JPEG nor PNG nor WebP");
    return NOT_AN_IMAGE;
}

outcome picture_encode(const wishes *w, format f, const picture *p, buffer *out, trouble *t) {
    switch (f) {
    case FORMAT_PNG: return encode_png(p, out, t);
    case FORMAT_WEBP: return encode_webp(w, p, out, t);
    default: return encode_jpeg(w, p, out, t);
    }
}

static uint32_t side(double length) {
    double rounded = round(length);
    return rounded < 1 ? 1 : rounded > SIDE_MAX ? SIDE_MAX : (uint32_t)rounded;
}

plan plan_for(const wishes *w, uint32_t width, uint32_t height, int orientation) {
    double have_width = width, have_height = height;
    double box_width = w->width > 0 ? w->width : SIDE_MAX, box_height = w->height > 0 ? w->height : SIDE_MAX;
    plan way = {.width = width, .height = height};
    if (orientation >= 5) { /* lies on its side */
        double other = box_width;
        box_width = box_height;
        box_height = other;
    }
    if (w->fit == FIT_CONTAIN) {
        double factor = fmin(box_width / have_width, box_height / have_height);
        /* Without the wish only what no format could hold gets smaller. */
        if (factor > 1 && !w->enlarge) factor = 1;
        way.out_width = side(have_width * factor);
        way.out_height = side(have_height * factor);
        return way;
    }
    if (w->fit == FIT_FILL) {
        way.out_width = side(w->enlarge ? box_width : fmin(box_width, have_width));
        way.out_height = side(w->enlarge ? box_height : fmin(box_height, have_height));
        return way;
    }
    /* The largest part of the box's shape, from the middle. */
    double factor = fmin(have_width / box_width, have_height / box_height);
    way.width = box_width * factor;
    way.height = box_height * factor;
    way.x = (have_width - way.width) / 2;
    way.y = (have_height - way.height) / 2;
    if (factor < 1 && !w->enlarge) {
        box_width *= factor;
        box_height *= factor;
    }
    way.out_width = side(box_width);
    way.out_height = side(box_height);
    return way;
}

outcome picture_turn(picture *p, trouble *t) {
    if (p->orientation <= 1) return DONE;
    int lies = p->orientation >= 5;
    uint32_t width = lies ? p->height : p->width, height = lies ? p->width : p->height;
    uint8_t *pixels = malloc((size_t)width * height * 4);
    if (pixels == NULL) {
        snprintf(t->words, sizeof t->words, "no memory to turn it");
        return OUT_OF_MEMORY;
    }
    for (uint32_t y = 0; y < height; y++) {
        for (uint32_t x = 0; x < width; x++) {
            uint32_t from_x = lies ? y : x, from_y = lies ? x : y;
            if (p->orientation == 2 || p->orientation == 3 || p->orientation == 7 || p->orientation == 8) from_x = p->width - 1 - from_x;
            if (p->orientation == 3 || p->orientation == 4 || p->orientation == 6 || p->orientation == 7) from_y = p->height - 1 - from_y;
            memcpy(pixels + ((size_t)y * width + x) * 4, p->pixels + ((size_t)from_y * p->width + from_x) * 4, 4);
        }
    }
    free(p->pixels);
    p->pixels = pixels;
    p->width = width;
    p->height = height;
    p->orientation = 1;
    return DONE;
}

void picture_free(picture *p) {
    free(p->pixels);
    free(p->profile);
    *p = (picture){0};
}
