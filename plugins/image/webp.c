/* webp.c - libwebp, without its threads. Of a moving image the first picture is taken. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <webp/decode.h>
#include <webp/demux.h>
#include <webp/encode.h>
#include <webp/mux.h>

#include "picture.h"

static void read_extras(picture *p, const uint8_t *bytes, size_t length) {
    WebPData data = {bytes, length};
    WebPChunkIterator chunk;
    WebPDemuxer *demuxer = WebPDemux(&data);
    if (demuxer == NULL) return;
    if (WebPDemuxGetChunk(demuxer, "ICCP", 1, &chunk)) {
        keep_profile(p, chunk.chunk.bytes, chunk.chunk.size);
        WebPDemuxReleaseChunkIterator(&chunk);
    }
    if (WebPDemuxGetChunk(demuxer, "EXIF", 1, &chunk)) {
        p->orientation = exif_orientation(chunk.chunk.bytes, chunk.chunk.size);
        WebPDemuxReleaseChunkIterator(&chunk);
    }
    WebPDemuxDelete(demuxer);
}

static outcome first_of_many(picture *p, const uint8_t *bytes, size_t length) {
    WebPData data = {bytes, length};
    WebPAnimDecoderOptions options;
    uint8_t *pixels;
    int time;
    WebPAnimDecoderOptionsInit(&options);
    WebPAnimDecoder *decoder = WebPAnimDecoderNew(&data, &options);
    if (decoder == NULL) return BROKEN;
    outcome result = WebPAnimDecoderGetNext(decoder, &pixels, &time) ? DONE : BROKEN;
    if (result == DONE) memcpy(p->pixels, pixels, (size_t)p->width * p->height * 4);
    WebPAnimDecoderDelete(decoder);
    return result;
}

/* In pieces, so that a cancellation is seen in between. */
static outcome decode(pawl_attempt *attempt, const uint8_t *bytes, size_t length, picture *p) {
    const size_t piece = 256 << 10;
    WebPIDecoder *decoder = WebPINewRGB(MODE_RGBA, p->pixels, (size_t)p->width * p->height * 4, (int)p->width * 4);
    outcome result = BROKEN;
    if (decoder == NULL) return OUT_OF_MEMORY;
    for (size_t at = 0; at < length; at += piece) {
        VP8StatusCode status = WebPIUpdate(decoder, bytes, length - at > piece ? at + piece : length);
        if (attempt->host->is_cancelled(attempt)) {
            result = CANCELLED;
            break;
        }
        if (status == VP8_STATUS_SUSPENDED) continue;
        result = status == VP8_STATUS_OK ? DONE : status == VP8_STATUS_OUT_OF_MEMORY ? OUT_OF_MEMORY : BROKEN;
        break;
    }
    WebPIDelete(decoder);
    return result;
}

outcome decode_webp(pawl_attempt *attempt, const wishes *w, const uint8_t *bytes, size_t length, picture *p, trouble *t) {
    WebPBitstreamFeatures features;
    if (WebPGetFeatures(bytes, length, &features) != VP8_STATUS_OK || features.width <= 0 || features.height <= 0) {
        snprintf(t->words, sizeof t->words, "its header is broken");
        return BROKEN;
    }
    outcome result = picture_admit(w, p, (uint64_t)features.width, (uint64_t)features.height, t);
    if (result == DONE) result = picture_reserve(w, p, (uint64_t)features.width, (uint64_t)features.height, t);
    if (result != DONE) return result;
    p->has_alpha = features.has_alpha || features.has_animation;
    read_extras(p, bytes, length);
    result = features.has_animation ? first_of_many(p, bytes, length) : decode(attempt, bytes, length, p);
    if (result == BROKEN) snprintf(t->words, sizeof t->words, "it is damaged, or ends in the middle");
    if (result == OUT_OF_MEMORY) snprintf(t->words, sizeof t->words, "no memory to decode it");
    return result;
}

/* Around what is encoded, with the colour profile. */
static outcome add_profile(const picture *p, buffer *out) {
    WebPData image = {out->bytes, out->length}, profile = {p->profile, p->profile_length}, whole = {0};
    WebPMux *mux = WebPMuxNew();
    outcome result = OUT_OF_MEMORY;
    if (mux != NULL && WebPMuxSetImage(mux, &image, 0) == WEBP_MUX_OK && WebPMuxSetChunk(mux, "ICCP", &profile, 0) == WEBP_MUX_OK &&
        WebPMuxAssemble(mux, &whole) == WEBP_MUX_OK) {
        uint8_t *bytes = malloc(whole.size);
        if (bytes != NULL) {
            memcpy(bytes, whole.bytes, whole.size);
            free(out->bytes);
            *out = (buffer){bytes, whole.size};
            result = DONE;
        }
    }
    WebPDataClear(&whole);
    if (mux != NULL) WebPMuxDelete(mux);
    return result;
}

outcome encode_webp(const wishes *w, const picture *p, buffer *out, trouble *t) {
    WebPConfig config;
    WebPPicture image;
    WebPMemoryWriter writer;
    outcome result = OUT_OF_MEMORY;
    snprintf(t->words, sizeof t->words, "no memory to encode it");
    if (!WebPConfigInit(&config) || !WebPPictureInit(&image)) return result;
    config.quality = (float)w->quality;
    config.thread_level = 0;
    image.width = (int)p->width;
    image.height = (int)p->height;
    WebPMemoryWriterInit(&writer);
    image.writer = WebPMemoryWrite;
    image.custom_ptr = &writer;
    int imported = p->has_alpha ? WebPPictureImportRGBA(&image, p->pixels, (int)p->width * 4)
                                : WebPPictureImportRGBX(&image, p->pixels, (int)p->width * 4);
    if (imported && WebPEncode(&config, &image)) {
        /* Of malloc, unlike the writer's own memory. */
        uint8_t *bytes = malloc(writer.size);
        if (bytes != NULL) {
            memcpy(bytes, writer.mem, writer.size);
            *out = (buffer){bytes, writer.size};
            result = DONE;
        }
    } else if (imported) {
        snprintf(t->words, sizeof t->words, "libwebp cannot encode it (error %d)", (int)image.error_code);
    }
    WebPPictureFree(&image);
    WebPMemoryWriterClear(&writer);
    if (result == DONE && p->profile != NULL) result = add_profile(p, out);
    return result;
}
