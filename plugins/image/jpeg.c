/* jpeg.c - libjpeg-turbo. Its errors leave by longjmp; what must outlive one lies in `work`. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* after stdio.h, which it needs */
#include <jpeglib.h>

#include "picture.h"

#define SCANS_MAX 200              /* a progressive image has about ten; a bomb, tens of thousands */
#define MEMORY_MAX (1024L << 20)   /* of the decoder, besides the pixels: the coefficients of a progressive image */

typedef struct work {
    struct jpeg_error_mgr errors; /* first: libjpeg gives back its address */
    struct jpeg_progress_mgr progress;
    jmp_buf back;
    pawl_attempt *attempt;
    trouble *said;
    picture *p;
    outcome result;
    uint8_t *row;
    JOCTET *profile;
    unsigned char *out;
    unsigned long out_length;
} work;

static void on_error(j_common_ptr common) {
    work *k = (work *)common->err;
    char words[JMSG_LENGTH_MAX];
    common->err->format_message(common, words);
    snprintf(k->said->words, sizeof k->said->words, "%.200s", words);
    longjmp(k->back, 1);
}

static void on_message(j_common_ptr common, int level) {
    work *k = (work *)common->err;
    if (level >= 0) return;
    if (k->errors.num_warnings++ == 0 && k->p != NULL) {
        char words[JMSG_LENGTH_MAX];
        common->err->format_message(common, words);
        snprintf(k->p->warning.words, sizeof k->p->warning.words, "%.200s", words);
    }
}

static void on_progress(j_common_ptr common) {
    work *k = (work *)common->err;
    const struct jpeg_decompress_struct *info = (const struct jpeg_decompress_struct *)common;
    if (k->attempt->host->is_cancelled(k->attempt)) {
        k->result = CANCELLED;
        longjmp(k->back, 1);
    }
    if (info->input_scan_number > SCANS_MAX) {
        snprintf(k->said->words, sizeof k->said->words, "it has more than %d scans", SCANS_MAX);
        k->result = TOO_LARGE;
        longjmp(k->back, 1);
    }
}

static void begin(work *k, pawl_attempt *attempt, picture *p, trouble *t) {
    *k = (work){.attempt = attempt, .p = p, .said = t, .result = BROKEN};
    jpeg_std_error(&k->errors);
    k->errors.error_exit = on_error;
    k->errors.emit_message = on_message;
    k->progress.progress_monitor = on_progress;
}

/* Adobe writes its CMYK upside down, and says that it was there. */
static void from_cmyk(uint8_t *row, uint32_t width, int inverted) {
    for (uint32_t x = 0; x < width; x++, row += 4) {
        unsigned key = inverted ? row[3] : 255u - row[3];
        for (int c = 0; c < 3; c++) row[c] = (uint8_t)((inverted ? row[c] : 255u - row[c]) * key / 255u);
        row[3] = 255;
    }
}

/* The smallest of 1/8, 1/4, 1/2 and 1 that still has twice what is wanted: the rest is the better filter's. */
static unsigned denominator(const wishes *w, const picture *p, uint32_t width, uint32_t height) {
    plan way = plan_for(w, width, height, p->orientation);
    unsigned by = 8;
    while (by > 1 && (way.width / by < way.out_width * 2.0 || way.height / by < way.out_height * 2.0)) by /= 2;
    return by;
}

static void read_markers(work *k, struct jpeg_decompress_struct *info) {
    unsigned length = 0;
    for (jpeg_saved_marker_ptr marker = info->marker_list; marker != NULL; marker = marker->next)
        if (marker->marker == JPEG_APP0 + 1 && marker->data_length > 6 && memcmp(marker->data, "Exif\0\0", 6) == 0) {
            k->p->orientation = exif_orientation(marker->data, marker->data_length);
            break;
        }
    if (jpeg_read_icc_profile(info, &k->profile, &length)) keep_profile(k->p, k->profile, length);
}

static outcome decode(work *k, struct jpeg_decompress_struct *info, const wishes *w, const uint8_t *bytes, size_t length) {
    if (setjmp(k->back) != 0) return k->result;
    jpeg_create_decompress(info);
    info->progress = &k->progress;
    info->mem->max_memory_to_use = MEMORY_MAX;
    jpeg_mem_src(info, bytes, (unsigned long)length);
    jpeg_save_markers(info, JPEG_APP0 + 1, 0xFFFF);
    jpeg_save_markers(info, JPEG_APP0 + 2, 0xFFFF);
    jpeg_read_header(info, TRUE);
    k->result = picture_admit(w, k->p, info->image_width, info->image_height, k->said);
    if (k->result != DONE) return k->result;
    k->result = BROKEN;
    read_markers(k, info);
    int cmyk = info->jpeg_color_space == JCS_CMYK || info->jpeg_color_space == JCS_YCCK;
    info->out_color_space = cmyk ? JCS_CMYK : JCS_EXT_RGBA;
    info->scale_num = 1;
    info->scale_denom = denominator(w, k->p, info->image_width, info->image_height);
    jpeg_start_decompress(info);
    outcome reserved = picture_reserve(w, k->p, info->output_width, info->output_height, k->said);
    if (reserved != DONE) return reserved;
    while (info->output_scanline < info->output_height) {
        uint8_t *row = k->p->pixels + (size_t)info->output_scanline * k->p->width * 4;
        jpeg_read_scanlines(info, &row, 1);
        if (cmyk) from_cmyk(row, k->p->width, info->saw_Adobe_marker);
    }
    jpeg_finish_decompress(info);
    k->p->warnings = k->errors.num_warnings;
    if (w->strict && k->p->warnings > 0) {
        *k->said = k->p->warning;
        return BROKEN;
    }
    return DONE;
}

outcome decode_jpeg(pawl_attempt *attempt, const wishes *w, const uint8_t *bytes, size_t length, picture *p, trouble *t) {
    work k;
    struct jpeg_decompress_struct info = {0};
    begin(&k, attempt, p, t);
    info.err = &k.errors;
    outcome result = decode(&k, &info, w, bytes, length);
    jpeg_destroy_decompress(&info);
    free(k.profile);
    return result;
}

static outcome encode(work *k, struct jpeg_compress_struct *info, const wishes *w, const picture *p) {
    if (setjmp(k->back) != 0) return OUT_OF_MEMORY;
    jpeg_create_compress(info);
    jpeg_mem_dest(info, &k->out, &k->out_length);
    info->image_width = p->width;
    info->image_height = p->height;
    info->input_components = 3;
    info->in_color_space = JCS_RGB;
    jpeg_set_defaults(info);
    jpeg_set_quality(info, w->quality, TRUE);
    info->optimize_coding = TRUE;
    jpeg_start_compress(info, TRUE);
    if (p->profile != NULL) jpeg_write_icc_profile(info, p->profile, (unsigned)p->profile_length);
    while (info->next_scanline < info->image_height) {
        const uint8_t *from = p->pixels + (size_t)info->next_scanline * p->width * 4;
        for (uint32_t x = 0; x < p->width; x++, from += 4)
            for (uint32_t c = 0; c < 3; c++)
                k->row[3 * x + c] = (uint8_t)((from[c] * (unsigned)from[3] + w->background[c] * (255u - from[3]) + 127u) / 255u);
        jpeg_write_scanlines(info, &k->row, 1);
    }
    jpeg_finish_compress(info);
    return DONE;
}

outcome encode_jpeg(const wishes *w, const picture *p, buffer *out, trouble *t) {
    work k;
    struct jpeg_compress_struct info = {0};
    begin(&k, NULL, NULL, t);
    info.err = &k.errors;
    k.row = malloc((size_t)p->width * 3);
    outcome result = k.row == NULL ? OUT_OF_MEMORY : encode(&k, &info, w, p);
    jpeg_destroy_compress(&info);
    free(k.row);
    if (result == DONE) *out = (buffer){k.out, k.out_length};
    else free(k.out);
    return result;
}
