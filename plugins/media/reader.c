/* reader.c - libavformat behind a wall: it reads through us, opens nothing by itself, and asks us whether to go on. */
#include "reader.h"

#include <errno.h>
#include <inttypes.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BUFFER 32768
#define STREAMS_MAX 64
#define VALUE_MAX 1024 /* of a tag; more is cut */

typedef struct source {
    pawl_attempt *attempt;
    int fd, error;
    uint64_t at, size, left, read_bytes;
} source;

/* av_log has no place for a user's pointer. One worker thread reads one file at a time. */
static char *first_error;
static size_t first_error_room;

__attribute__((format(printf, 3, 0)))
static void on_message(void *object, int level, const char *format, va_list arguments) {
    (void)object;
    if (level > AV_LOG_ERROR || first_error == NULL || first_error[0] != 0) return;
    vsnprintf(first_error, first_error_room, format, arguments);
    for (size_t length = strlen(first_error); length > 0 && first_error[length - 1] == '\n';) first_error[--length] = 0;
}

void reader_start(void) { av_log_set_callback(on_message); }

void put_text(text *t, const char *name, const char *value) {
    if (value == NULL || value[0] == 0) return;
    text_format(t, ",\"%s\":", name);
    text_string(t, value, strnlen(value, VALUE_MAX));
}

void put_number(text *t, const char *name, int64_t value) { text_format(t, ",\"%s\":%" PRId64, name, value); }

static void put_positive(text *t, const char *name, int64_t value) {
    if (value > 0) put_number(t, name, value);
}

static int on_read(void *user, uint8_t *to, int length) {
    source *s = user;
    if (s->attempt->host->is_cancelled(s->attempt)) return AVERROR_EXIT;
    /* Over the budget the file seems to end. */
    if ((uint64_t)length > s->left) length = (int)s->left;
    ssize_t got = length == 0 ? 0 : pread(s->fd, to, (size_t)length, (off_t)s->at);
    if (got < 0) {
        if (errno != EINTR) s->error = errno;
        return AVERROR(errno);
    }
    s->at += (uint64_t)got;
    s->left -= (uint64_t)got;
    s->read_bytes += (uint64_t)got;
    return got == 0 ? AVERROR_EOF : (int)got;
}

static int64_t on_seek(void *user, int64_t offset, int whence) {
    source *s = user;
    if ((whence & AVSEEK_SIZE) != 0) return (int64_t)s->size;
    int64_t from = (whence & 3) == SEEK_CUR ? (int64_t)s->at : (whence & 3) == SEEK_END ? (int64_t)s->size : 0;
    if (offset > INT64_MAX - from || from + offset < 0) return AVERROR(EINVAL);
    s->at = (uint64_t)(from + offset);
    return from + offset;
}

static int on_interrupt(void *user) {
    const source *s = user;
    return s->attempt->host->is_cancelled(s->attempt);
}

/* Play lists, and films in parts, name other files and addresses: none is opened. */
static int refuse_open(AVFormatContext *context, AVIOContext **io, const char *url, int flags, AVDictionary **options) {
    (void)context;
    (void)io;
    (void)url;
    (void)flags;
    (void)options;
    return AVERROR(EPERM);
}

static void put_tags(text *t, const AVDictionary *tags) {
    static const char *const names[][2] = {
        {"title", "title"}, {"artist", "artist"}, {"album", "album"}, {"album_artist", "album_artist"}, {"composer", "composer"},
        {"track", "track"}, {"genre", "genre"}, {"date", "date"}, {"creation_time", "created_at"}, {"encoder", "encoder"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const AVDictionaryEntry *entry = av_dict_get(tags, names[i][0], NULL, 0);
        if (entry != NULL) put_text(t, names[i][1], entry->value);
    }
}

static void put_stream(text *t, const AVStream *stream) {
    const AVCodecParameters *codec = stream->codecpar;
    const AVDictionaryEntry *language = av_dict_get(stream->metadata, "language", NULL, 0);
    text_format(t, "{\"codec\":\"%s\"", avcodec_get_name(codec->codec_id));
    put_positive(t, "width", codec->width);
    put_positive(t, "height", codec->height);
    if (stream->avg_frame_rate.num > 0 && stream->avg_frame_rate.den > 0 && codec->codec_type == AVMEDIA_TYPE_VIDEO)
        text_format(t, ",\"frame_rate\":%.3f", av_q2d(stream->avg_frame_rate));
    size_t length = 0;
    const uint8_t *matrix = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &length);
    double turned = matrix != NULL && length >= 9 * sizeof(int32_t) ? av_display_rotation_get((const int32_t *)(const void *)matrix) : 0;
    if (isfinite(turned) && turned != 0) put_number(t, "rotation", (int64_t)lround(turned));
    if (codec->codec_type == AVMEDIA_TYPE_AUDIO) {
        put_positive(t, "channels", codec->ch_layout.nb_channels);
        put_positive(t, "sample_rate", codec->sample_rate);
    }
    put_positive(t, "bit_rate", codec->bit_rate);
    if (language != NULL) put_text(t, "language", language->value);
    text_put(t, "}", 1);
}

static int is_cover(const AVStream *stream) { return (stream->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0; }

static unsigned put_streams(text *t, const AVFormatContext *context, enum AVMediaType type, const char *name) {
    unsigned count = 0;
    for (unsigned i = 0; i < context->nb_streams; i++) {
        if (context->streams[i]->codecpar->codec_type != type || is_cover(context->streams[i])) continue;
        if (count++ == 0) text_format(t, ",\"%s\":[", name);
        else text_put(t, ",", 1);
        put_stream(t, context->streams[i]);
    }
    if (count > 0) text_put(t, "]", 1);
    return count;
}

static void tell(const AVFormatContext *context, description *d) {
    text *t = &d->members;
    size_t name = strlen(context->iformat->name);
    put_text(t, "format", context->iformat->name);
    put_text(t, "format_name", context->iformat->long_name);
    /* One picture is a film of one frame, for libavformat. */
    int is_picture = name > 5 && strcmp(context->iformat->name + name - 5, "_pipe") == 0;
    if (!is_picture && context->duration != AV_NOPTS_VALUE && context->duration >= 0) {
        d->duration_ms = context->duration / 1000;
        put_number(t, "duration_ms", d->duration_ms);
        put_positive(t, "bit_rate", context->bit_rate);
    }
    put_tags(t, context->metadata);
    unsigned video = 0, audio, subtitles, covers = 0;
    for (unsigned i = 0; i < context->nb_streams; i++) covers += is_cover(context->streams[i]) ? 1 : 0;
    if (is_picture && context->nb_streams > 0) {
        put_positive(t, "width", context->streams[0]->codecpar->width);
        put_positive(t, "height", context->streams[0]->codecpar->height);
    } else {
        video = put_streams(t, context, AVMEDIA_TYPE_VIDEO, "video");
    }
    audio = put_streams(t, context, AVMEDIA_TYPE_AUDIO, "audio");
    subtitles = put_streams(t, context, AVMEDIA_TYPE_SUBTITLE, "subtitles");
    put_positive(t, "covers", covers);
    d->kind = is_picture ? "image" : video > 0 ? "video" : audio > 0 ? "audio" : subtitles > 0 ? "subtitles" : "other";
}

static void look_at_streams(AVFormatContext *context) {
    AVDictionary *options[STREAMS_MAX] = {0};
    unsigned count = context->nb_streams < STREAMS_MAX ? context->nb_streams : STREAMS_MAX;
    if (context->nb_streams > STREAMS_MAX) return;
    for (unsigned i = 0; i < count; i++) {
        av_dict_set(&options[i], "threads", "1", 0);
        av_dict_set(&options[i], "max_pixels", "100000000", 0);
    }
    avformat_find_stream_info(context, options);
    for (unsigned i = 0; i < count; i++) av_dict_free(&options[i]);
}

static outcome describe_with(AVFormatContext *context, source *s, description *d) {
    AVDictionary *options = NULL;
    av_dict_set(&options, "protocol_whitelist", "none", 0);
    context->flags |= AVFMT_FLAG_CUSTOM_IO;
    context->io_open = refuse_open;
    context->interrupt_callback = (AVIOInterruptCB){on_interrupt, s};
    context->max_streams = STREAMS_MAX;
    context->probesize = 5 << 20;
    context->max_analyze_duration = 5 * AV_TIME_BASE;
    int status = avformat_open_input(&context, "", NULL, &options); /* frees the context where it fails */
    av_dict_free(&options);
    outcome result = NO_MEDIA;
    if (status == 0 && context->probe_score >= AVPROBE_SCORE_RETRY) {
        look_at_streams(context);
        tell(context, d);
        result = DESCRIBED;
    } else if (status != AVERROR_INVALIDDATA && status != AVERROR_EOF && d->warning[0] == 0) {
        if (status < 0) av_strerror(status, d->warning, sizeof d->warning);
    }
    if (result == NO_MEDIA && status == 0) d->warning[0] = 0; /* what a format complained of that it is not */
    avformat_close_input(&context);
    return result;
}

outcome describe(pawl_attempt *attempt, int fd, uint64_t size, uint64_t budget, description *d) {
    source s = {.attempt = attempt, .fd = fd, .size = size, .left = budget};
    d->kind = "other";
    errno = 0;
    outcome result = describe_image(fd, size, d);
    if (result != NO_MEDIA || size == 0) return result;
    uint8_t *buffer = av_malloc(BUFFER);
    AVIOContext *io = buffer == NULL ? NULL : avio_alloc_context(buffer, BUFFER, 0, &s, on_read, NULL, on_seek);
    AVFormatContext *context = io == NULL ? NULL : avformat_alloc_context();
    if (context == NULL) {
        errno = ENOMEM;
        result = READ_FAILED;
    } else {
        first_error = d->warning;
        first_error_room = sizeof d->warning;
        context->pb = io;
        result = describe_with(context, &s, d);
        first_error = NULL;
    }
    if (io != NULL) av_freep(&io->buffer);
    else av_free(buffer);
    avio_context_free(&io);
    d->read_bytes = s.read_bytes;
    if (attempt->host->is_cancelled(attempt)) return CANCELLED;
    if (s.error == 0) return result;
    errno = s.error;
    return READ_FAILED;
}
