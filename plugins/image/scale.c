/* scale.c - resampling with Lanczos' filter, over premultiplied alpha: what is transparent lends its colour to nobody. */
#include "picture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOBES 3.0

/* The source positions, and their weights, that make one position of the result. */
typedef struct tap {
    uint32_t first, count;
    float *weights;
} tap;

typedef struct axis {
    tap *taps;
    float *weights;
    uint32_t longest; /* taps of one position */
} axis;

static double lanczos(double x) {
    const double pi = 3.14159265358979323846;
    if (x < 0) x = -x;
    if (x < 1e-9) return 1;
    if (x >= LOBES) return 0;
    return LOBES * sin(pi * x) * sin(pi * x / LOBES) / (pi * pi * x * x);
}

static void axis_free(axis *a) {
    free(a->taps);
    free(a->weights);
    *a = (axis){0};
}

static int axis_make(axis *a, double start, double length, uint32_t have, uint32_t want) {
    double step = length / want, stretch = step > 1 ? step : 1, reach = LOBES * stretch;
    size_t room = (size_t)(2 * reach) + 3;
    a->taps = calloc(want, sizeof *a->taps);
    a->weights = malloc(want * room * sizeof *a->weights);
    if (a->taps == NULL || a->weights == NULL) return 0;
    for (uint32_t i = 0; i < want; i++) {
        double centre = start + (i + 0.5) * step, sum = 0;
        double low = floor(centre - reach), high = ceil(centre + reach);
        uint32_t first = low < 0 ? 0 : (uint32_t)low, end = high > have ? have : (uint32_t)high;
        if (first >= have) first = have - 1;
        if (end <= first) end = first + 1;
        if (end - first > room) end = first + (uint32_t)room;
        tap *to = &a->taps[i];
        *to = (tap){first, end - first, a->weights + i * room};
        for (uint32_t j = 0; j < to->count; j++) sum += to->weights[j] = (float)lanczos((first + j + 0.5 - centre) / stretch);
        for (uint32_t j = 0; j < to->count; j++) to->weights[j] = sum > 1e-6 ? (float)(to->weights[j] / sum) : 1.0f / (float)to->count;
        if (to->count > a->longest) a->longest = to->count;
    }
    return 1;
}

/* One row of the source, as wide as the result. */
static void scale_row(const axis *columns, const uint8_t *row, uint32_t width, float *source, uint32_t out_width, float *out) {
    for (uint32_t x = 0; x < width; x++) {
        float alpha = (float)row[4 * x + 3];
        for (int c = 0; c < 3; c++) source[4 * x + (uint32_t)c] = (float)row[4 * x + (uint32_t)c] * alpha / 255.0f;
        source[4 * x + 3] = alpha;
    }
    for (uint32_t x = 0; x < out_width; x++) {
        const tap *from = &columns->taps[x];
        float sum[4] = {0};
        const float *at = source + (size_t)from->first * 4;
        for (uint32_t i = 0; i < from->count; i++, at += 4)
            for (int c = 0; c < 4; c++) sum[c] += at[c] * from->weights[i];
        memcpy(out + (size_t)x * 4, sum, sizeof sum);
    }
}

static uint8_t byte_of(float value) { return value <= 0 ? 0 : value >= 255 ? 255 : (uint8_t)(value + 0.5f); }

static void finish_row(const float *sum, uint32_t width, uint8_t *out) {
    for (uint32_t x = 0; x < width; x++, sum += 4, out += 4) {
        out[3] = byte_of(sum[3]);
        for (int c = 0; c < 3; c++) out[c] = out[3] == 0 ? 0 : byte_of(sum[c] * 255.0f / sum[3]);
    }
}

outcome picture_scale(pawl_attempt *attempt, const plan *way, picture *p, trouble *t) {
    if (way->out_width == p->width && way->out_height == p->height && way->width >= p->width && way->height >= p->height) return DONE;
    axis columns = {0}, rows = {0};
    outcome result = OUT_OF_MEMORY;
    uint8_t *pixels = malloc((size_t)way->out_width * way->out_height * 4);
    float *source = malloc((size_t)p->width * 4 * sizeof *source), *sum = malloc((size_t)way->out_width * 4 * sizeof *sum), *ring = NULL;
    if (axis_make(&columns, way->x, way->width, p->width, way->out_width) && axis_make(&rows, way->y, way->height, p->height, way->out_height))
        ring = malloc((size_t)rows.longest * way->out_width * 4 * sizeof *ring);
    if (pixels == NULL || source == NULL || sum == NULL || ring == NULL) {
        snprintf(t->words, sizeof t->words, "no memory to make it smaller");
        goto end;
    }
    result = DONE;
    size_t pitch = (size_t)way->out_width * 4;
    for (uint32_t y = 0, ready = 0; y < way->out_height; y++) {
        const tap *from = &rows.taps[y];
        if (ready < from->first) ready = from->first;
        /* Source rows stay as long as a row of the result needs them. */
        for (; ready < from->first + from->count; ready++) {
            if (attempt->host->is_cancelled(attempt)) {
                result = CANCELLED;
                goto end;
            }
            scale_row(&columns, p->pixels + (size_t)ready * p->width * 4, p->width, source, way->out_width, ring + (ready % rows.longest) * pitch);
        }
        memset(sum, 0, pitch * sizeof *sum);
        for (uint32_t i = 0; i < from->count; i++) {
            const float *row = ring + ((from->first + i) % rows.longest) * pitch, weight = from->weights[i];
            for (size_t x = 0; x < pitch; x++) sum[x] += row[x] * weight;
        }
        finish_row(sum, way->out_width, pixels + (size_t)y * pitch);
    }
    free(p->pixels);
    p->pixels = pixels;
    p->width = way->out_width;
    p->height = way->out_height;
    pixels = NULL;
end:
    axis_free(&columns);
    axis_free(&rows);
    free(pixels);
    free(source);
    free(sum);
    free(ring);
    return result;
}
