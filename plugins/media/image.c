/* image.c - headers of images, without decoding: no size that they claim can cost anything. */
#include <errno.h>
#include <inttypes.h>
#include <libexif/exif-data.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reader.h"

#define SEGMENTS_MAX 10000

static int have(int fd, uint64_t at, void *to, size_t length) {
    for (size_t got = 0; got < length;) {
        ssize_t part = pread(fd, (char *)to + got, length - got, (off_t)(at + got));
        if (part < 0 && errno == EINTR) continue;
        if (part <= 0) return 0;
        got += (size_t)part;
    }
    return 1;
}

static uint32_t big16(const uint8_t *b) { return (uint32_t)b[0] << 8 | b[1]; }
static uint32_t big32(const uint8_t *b) { return big16(b) << 16 | big16(b + 2); }
static uint32_t little16(const uint8_t *b) { return (uint32_t)b[1] << 8 | b[0]; }
static uint32_t little24(const uint8_t *b) { return (uint32_t)b[2] << 16 | little16(b); }
static uint32_t little32(const uint8_t *b) { return little16(b + 2) << 16 | little16(b); }

static outcome sized(description *d, const char *format, uint32_t width, uint32_t height) {
    d->kind = "image";
    text_format(&d->members, ",\"format\":\"%s\",\"width\":%" PRIu32 ",\"height\":%" PRIu32, format, width, height);
    if (width == 0 || height == 0) snprintf(d->warning, sizeof d->warning, "its header names no size");
    return DESCRIBED;
}

static outcome unsized(description *d, const char *format) {
    d->kind = "image";
    text_format(&d->members, ",\"format\":\"%s\"", format);
    snprintf(d->warning, sizeof d->warning, "it ends in the middle of its header, or that is broken");
    return DESCRIBED;
}

static void put_entry(description *d, ExifData *data, ExifIfd part, ExifTag tag, const char *name) {
    char value[512];
    ExifEntry *entry = exif_content_get_entry(data->ifd[part], tag);
    if (entry == NULL || exif_entry_get_value(entry, value, sizeof value) == NULL) return;
    size_t length = strlen(value);
    while (length > 0 && value[length - 1] == ' ') value[--length] = 0;
    put_text(&d->members, name, value);
}

static void read_exif(description *d, const uint8_t *bytes, size_t length) {
    ExifData *data = exif_data_new_from_data(bytes, (unsigned)length);
    if (data == NULL) return;
    ExifEntry *orientation = exif_content_get_entry(data->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
    if (orientation != NULL && orientation->format == EXIF_FORMAT_SHORT && orientation->size >= 2)
        put_number(&d->members, "orientation", exif_get_short(orientation->data, exif_data_get_byte_order(data)));
    put_entry(d, data, EXIF_IFD_0, EXIF_TAG_MAKE, "camera_make");
    put_entry(d, data, EXIF_IFD_0, EXIF_TAG_MODEL, "camera_model");
    put_entry(d, data, EXIF_IFD_EXIF, EXIF_TAG_DATE_TIME_ORIGINAL, "taken_at");
    exif_data_unref(data);
}

/* From marker to marker, up to the frame's header. */
static outcome jpeg(int fd, description *d) {
    uint8_t head[4], frame[5], *exif = NULL;
    size_t exif_length = 0;
    outcome result = unsized(d, "jpeg");
    uint64_t at = 2;
    for (int i = 0; i < SEGMENTS_MAX && have(fd, at, head, sizeof head) && head[0] == 0xFF; i++) {
        uint8_t marker = head[1];
        size_t length = big16(head + 2);
        if (marker == 0xFF) { /* a filler */
            at++;
            continue;
        }
        if (marker == 0xDA || marker == 0xD9 || length < 2) break;
        if (marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC) {
            if (!have(fd, at + 4, frame, sizeof frame)) break;
            d->warning[0] = 0;
            text_free(&d->members);
            result = sized(d, "jpeg", big16(frame + 3), big16(frame + 1));
            text_format(&d->members, ",\"bit_depth\":%u", frame[0]);
            break;
        }
        if (marker == 0xE1 && exif == NULL && length > 8 && (exif = malloc(length - 2)) != NULL) {
            exif_length = length - 2;
            if (!have(fd, at + 4, exif, exif_length) || memcmp(exif, "Exif\0\0", 6) != 0) {
                free(exif);
                exif = NULL;
            }
        }
        at += 2 + length;
    }
    if (exif != NULL) read_exif(d, exif, exif_length);
    free(exif);
    return result;
}

static outcome webp(const uint8_t *head, size_t length, description *d) {
    if (length >= 30 && memcmp(head + 12, "VP8X", 4) == 0) return sized(d, "webp", little24(head + 24) + 1, little24(head + 27) + 1);
    if (length >= 25 && memcmp(head + 12, "VP8L", 4) == 0 && head[20] == 0x2F) {
        uint32_t bits = little32(head + 21);
        return sized(d, "webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1);
    }
    if (length >= 30 && memcmp(head + 12, "VP8 ", 4) == 0 && memcmp(head + 23, "\x9D\x01\x2A", 3) == 0)
        return sized(d, "webp", little16(head + 26) & 0x3FFF, little16(head + 28) & 0x3FFF);
    return unsized(d, "webp");
}

outcome describe_image(int fd, uint64_t size, description *d) {
    uint8_t head[30];
    size_t length = size < sizeof head ? (size_t)size : sizeof head;
    if (!have(fd, 0, head, length)) return errno != 0 ? READ_FAILED : NO_MEDIA;
    if (length >= 3 && memcmp(head, "\xFF\xD8\xFF", 3) == 0) return jpeg(fd, d);
    if (length >= 8 && memcmp(head, "\x89PNG\r\n\x1A\n", 8) == 0) {
        if (length < 26 || memcmp(head + 12, "IHDR", 4) != 0) return unsized(d, "png");
        outcome result = sized(d, "png", big32(head + 16), big32(head + 20));
        text_format(&d->members, ",\"bit_depth\":%u", head[24]);
        return result;
    }
    if (length >= 6 && (memcmp(head, "GIF87a", 6) == 0 || memcmp(head, "GIF89a", 6) == 0))
        return length < 10 ? unsized(d, "gif") : sized(d, "gif", little16(head + 6), little16(head + 8));
    if (length >= 16 && memcmp(head, "RIFF", 4) == 0 && memcmp(head + 8, "WEBP", 4) == 0) return webp(head, length, d);
    return NO_MEDIA;
}
