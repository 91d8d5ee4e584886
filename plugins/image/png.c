/* png.c - libpng. Its errors leave by longjmp; what must outlive one lies in `work`. */
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "picture.h"

#define CHUNK_MAX (8u << 20) /* memory of one chunk besides the pixels: texts, profiles */
#define CHUNKS_MAX 1000

typedef struct work {
    pawl_attempt *attempt;
    picture *p;
    trouble *said;
    outcome result;
    const uint8_t *bytes;
    size_t length, at, room;
    uint8_t *out;
    png_structp png;
    png_infop info;
} work;

static void on_error(png_structp png, png_const_charp words) {
    work *k = png_get_error_ptr(png);
    snprintf(k->said->words, sizeof k->said->words, "%.200s", words);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp words) {
    work *k = png_get_error_ptr(png);
    if (k->p != NULL && k->p->warnings++ == 0) snprintf(k->p->warning.words, sizeof k->p->warning.words, "%.200s", words);
}

static void on_read(png_structp png, png_bytep to, size_t length) {
    work *k = png_get_io_ptr(png);
    if (length > k->length - k->at) png_error(png, "the file ends in the middle");
    memcpy(to, k->bytes + k->at, length);
    k->at += length;
}

static void read_extras(work *k) {
    png_charp name;
    png_bytep profile = NULL, exif = NULL;
    png_uint_32 length = 0;
    int method;
    if (png_get_iCCP(k->png, k->info, &name, &method, &profile, &length) != 0) keep_profile(k->p, profile, length);
    if (png_get_eXIf_1(k->png, k->info, &length, &exif) != 0) k->p->orientation = exif_orientation(exif, length);
}

/* Everything becomes red, green, blue and alpha of 8 bits. Returns the number of passes. */
static int transform(work *k) {
    int type = png_get_color_type(k->png, k->info);
    int transparent = png_get_valid(k->png, k->info, PNG_INFO_tRNS) != 0;
    k->p->has_alpha = (type & PNG_COLOR_MASK_ALPHA) != 0 || transparent;
    png_set_expand(k->png);
    png_set_scale_16(k->png);
    if ((type & PNG_COLOR_MASK_COLOR) == 0) png_set_gray_to_rgb(k->png);
    if (!k->p->has_alpha) png_set_add_alpha(k->png, 255, PNG_FILLER_AFTER);
    int passes = png_set_interlace_handling(k->png);
    png_read_update_info(k->png, k->info);
    return passes;
}

static outcome decode(work *k, const wishes *w) {
    if (setjmp(png_jmpbuf(k->png)) != 0) return k->result;
    png_set_read_fn(k->png, k, on_read);
    /* Their bounds are the file format's own; max_pixels says the rest, in words. */
    png_set_user_limits(k->png, 0x7FFFFFFF, 0x7FFFFFFF);
    png_set_chunk_cache_max(k->png, CHUNKS_MAX);
    png_set_chunk_malloc_max(k->png, CHUNK_MAX);
    png_read_info(k->png, k->info);
    outcome admitted = picture_admit(w, k->p, png_get_image_width(k->png, k->info), png_get_image_height(k->png, k->info), k->said);
    if (admitted != DONE) return admitted;
    int passes = transform(k);
    admitted = picture_reserve(w, k->p, k->p->original_width, k->p->original_height, k->said);
    if (admitted != DONE) return admitted;
    if (png_get_rowbytes(k->png, k->info) != (size_t)k->p->width * 4) png_error(k->png, "its rows have an unknown form");
    /* Passes of an interlaced image write between each other's pixels. */
    if (passes > 1) memset(k->p->pixels, 0, (size_t)k->p->width * k->p->height * 4);
    for (int pass = 0; pass < passes; pass++)
        for (uint32_t y = 0; y < k->p->height; y++) {
            if (k->attempt->host->is_cancelled(k->attempt)) return CANCELLED;
            png_read_row(k->png, k->p->pixels + (size_t)y * k->p->width * 4, NULL);
        }
    png_read_end(k->png, k->info); /* EXIF may stand behind the pixels */
    read_extras(k);
    if (!w->strict || k->p->warnings == 0) return DONE;
    *k->said = k->p->warning;
    return BROKEN;
}

outcome decode_png(pawl_attempt *attempt, const wishes *w, const uint8_t *bytes, size_t length, picture *p, trouble *t) {
    work k = {.attempt = attempt, .p = p, .said = t, .result = BROKEN, .bytes = bytes, .length = length};
    k.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &k, on_error, on_warning);
    k.info = k.png == NULL ? NULL : png_create_info_struct(k.png);
    outcome result = k.info == NULL ? OUT_OF_MEMORY : decode(&k, w);
    png_destroy_read_struct(&k.png, &k.info, NULL);
    return result;
}

static void on_write(png_structp png, png_bytep bytes, size_t length) {
    work *k = png_get_io_ptr(png);
    if (k->room - k->length < length) {
        size_t room = k->room * 2 + length + 65536;
        uint8_t *out = realloc(k->out, room);
        if (out == NULL) png_error(png, "no memory");
        k->out = out;
        k->room = room;
    }
    memcpy(k->out + k->length, bytes, length);
    k->length += length;
}

static void on_flush(png_structp png) { (void)png; }

static outcome encode(work *k, const picture *p) {
    if (setjmp(png_jmpbuf(k->png)) != 0) return OUT_OF_MEMORY;
    png_set_write_fn(k->png, k, on_write, on_flush);
    png_set_IHDR(k->png, k->info, p->width, p->height, 8, p->has_alpha ? PNG_COLOR_TYPE_RGB_ALPHA : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (p->profile != NULL) png_set_iCCP(k->png, k->info, "ICC", PNG_COMPRESSION_TYPE_BASE, p->profile, (png_uint_32)p->profile_length);
    png_write_info(k->png, k->info);
    if (!p->has_alpha) png_set_filler(k->png, 0, PNG_FILLER_AFTER);
    for (uint32_t y = 0; y < p->height; y++) png_write_row(k->png, p->pixels + (size_t)y * p->width * 4);
    png_write_end(k->png, NULL);
    return DONE;
}

outcome encode_png(const picture *p, buffer *out, trouble *t) {
    work k = {.said = t};
    k.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &k, on_error, on_warning);
    k.info = k.png == NULL ? NULL : png_create_info_struct(k.png);
    outcome result = k.info == NULL ? OUT_OF_MEMORY : encode(&k, p);
    png_destroy_write_struct(&k.png, &k.info);
    if (result == DONE) *out = (buffer){k.out, k.length};
    else free(k.out);
    return result;
}
