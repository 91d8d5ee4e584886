/* image.c - image.thumbnail: smaller copies of one image, or of all images below a folder.
 *
 * An image is taken as hostile: its header is looked at before anything of its size is allocated, decoders have bounds of memory and
 * of work, and what they say about a broken file becomes the failure's words. One bad image of a folder is counted and listed; the
 * others are made. A result appears under its name when it is whole. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/author.h"
#include "../common/walk.h"
#include "picture.h"

#define LISTED_MAX 1000 /* images in the result */
#define ERRORS_MAX 100  /* errors in the result */

typedef struct job {
    pawl_attempt *attempt;
    wishes w;
    format format; /* FORMAT_NONE: the input's own */
    pawl_str input, output;
    int32_t overwrite, recursive;
    int64_t max_bytes, max_files;
    /* what became of it */
    uint64_t images, errors, warnings, skipped, kept, input_bytes, output_bytes;
    text list, failed;
} job;

/* One image, from its bytes to the file of its result. */
typedef struct piece {
    format from, to;
    uint8_t *bytes;
    size_t length;
    picture p;
    buffer out;
    trouble t;
    int error; /* of a file, where the code is "io", or "unreadable" */
    const char *code;
} piece;

static int32_t read_choice(pawl_attempt *attempt, const char *key, const char *const *names, size_t count, const char *must, int *choice) {
    pawl_str given = PAWL_NO_STR;
    int32_t status = args->get_str(attempt, key, &given);
    if (status != PAWL_OK) return status;
    for (size_t i = 0; i < count; i++)
        if (strcmp(given.ptr, names[i]) == 0) {
            *choice = (int)i;
            return PAWL_OK;
        }
    return wrong(attempt, key, must);
}

static int32_t read_background(job *j) {
    pawl_str given = PAWL_NO_STR;
    memset(j->w.background, 255, sizeof j->w.background);
    int32_t status = args->get_str(j->attempt, "background", &given);
    if (status != PAWL_OK) return status;
    if (given.len != 7 || given.ptr[0] != '#' || strspn(given.ptr + 1, "0123456789abcdefABCDEF") != 6)
        return wrong(j->attempt, "background", "must be a colour like #ffffff");
    unsigned long colour = strtoul(given.ptr + 1, NULL, 16);
    for (int i = 0; i < 3; i++) j->w.background[i] = (uint8_t)(colour >> (16 - 8 * i));
    return PAWL_OK;
}

static int32_t options_read(job *j) {
    static const char *const known[] = {"input", "output", "width", "height", "fit", "enlarge", "format", "quality", "background",
                                        "overwrite", "recursive", "strict", "max_pixels", "max_bytes", "max_files"};
    static const char *const fits[] = {"contain", "cover", "fill"}, *const formats[] = {"", "jpeg", "png", "webp"};
    pawl_attempt *attempt = j->attempt;
    int64_t width = 0, height = 0, quality = 82, max_pixels = 100000000;
    int shape = FIT_CONTAIN, kind = FORMAT_NONE;
    int32_t enlarge = 0, strict = 0;
    j->overwrite = j->recursive = 1;
    j->max_bytes = 256 << 20;
    j->max_files = 1000000;
    TRY(args->only(attempt, known, sizeof known / sizeof known[0]));
    TRY(read_path(attempt, "input", 1, &j->input));
    TRY(read_path(attempt, "output", 1, &j->output));
    TRY(args->get_int(attempt, "width", 1, SIDE_MAX, &width));
    TRY(args->get_int(attempt, "height", 1, SIDE_MAX, &height));
    TRY(read_choice(attempt, "fit", fits, 3, "must be contain, cover or fill", &shape));
    TRY(read_choice(attempt, "format", formats, 4, "must be jpeg, png or webp", &kind));
    TRY(args->get_bool(attempt, "enlarge", &enlarge));
    TRY(args->get_int(attempt, "quality", 1, 100, &quality));
    TRY(read_background(j));
    TRY(args->get_bool(attempt, "overwrite", &j->overwrite));
    TRY(args->get_bool(attempt, "recursive", &j->recursive));
    TRY(args->get_bool(attempt, "strict", &strict));
    TRY(args->get_int(attempt, "max_pixels", 1, 250000000, &max_pixels));
    TRY(args->get_int(attempt, "max_bytes", 1, 1 << 30, &j->max_bytes));
    TRY(args->get_int(attempt, "max_files", 1, 10000000, &j->max_files));
    if (width == 0 && height == 0) return wrong(attempt, "width", "or \"height\" must be given");
    if (shape != FIT_CONTAIN && width == 0) return wrong(attempt, "width", "must be given with this fit");
    if (shape != FIT_CONTAIN && height == 0) return wrong(attempt, "height", "must be given with this fit");
    j->w = (wishes){.width = (uint32_t)width, .height = (uint32_t)height, .fit = (enum fit)shape, .enlarge = enlarge, .strict = strict,
                    .max_pixels = (uint64_t)max_pixels, .quality = (int)quality,
                    .background = {j->w.background[0], j->w.background[1], j->w.background[2]}};
    j->format = (enum format)kind;
    return PAWL_OK;
}

static outcome file_trouble(piece *k, const char *code, const char *what, int error) {
    k->code = code;
    k->error = error;
    snprintf(k->t.words, sizeof k->t.words, "cannot %s: %s", what, strerror(error));
    return BROKEN;
}

static outcome load(job *j, piece *k, const char *path) {
    struct stat info;
    outcome result = DONE;
    int fd = open_regular(path);
    if (fd < 0) return file_trouble(k, errno == ENOENT ? "file_not_found" : "unreadable", "open it", errno);
    if (fstat(fd, &info) != 0) result = file_trouble(k, "unreadable", "look at it", errno);
    else if (info.st_size > j->max_bytes) {
        snprintf(k->t.words, sizeof k->t.words, "its %" PRId64 " bytes are more than max_bytes, %" PRId64, (int64_t)info.st_size, j->max_bytes);
        result = TOO_LARGE;
    } else if ((k->bytes = malloc((size_t)info.st_size + 1)) == NULL) result = OUT_OF_MEMORY;
    while (result == DONE && k->length < (size_t)info.st_size) {
        ssize_t got = read(fd, k->bytes + k->length, (size_t)info.st_size - k->length);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) result = file_trouble(k, "unreadable", "read it", errno);
        if (got <= 0) break; /* it got shorter meanwhile: the decoder will say so */
        k->length += (size_t)got;
        /* Of a file that is no image the beginning is enough. */
        if (k->length >= 16 && format_of(k->bytes, k->length) == FORMAT_NONE) break;
    }
    close(fd);
    k->from = result == DONE ? format_of(k->bytes, k->length) : FORMAT_NONE;
    return result;
}

static int make_folders(const char *path) {
    char *copy = strdup(path);
    int error = copy == NULL ? ENOMEM : 0;
    for (char *slash = copy == NULL ? NULL : strchr(copy + 1, '/'); error == 0 && slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(copy, 0777) != 0 && errno != EEXIST) error = errno;
        *slash = '/';
    }
    free(copy);
    return error;
}

static outcome save(job *j, piece *k, const char *path) {
    char *temporary = temporary_name(j->attempt, path);
    if (temporary == NULL) return OUT_OF_MEMORY;
    unlink(temporary); /* of an earlier attempt that was killed */
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
    int error = fd < 0 ? errno : write_all(fd, k->out.bytes, k->out.length);
    if (error == 0) error = commit_file(fd, temporary, path);
    if (fd >= 0) {
        close(fd);
        if (error != 0) unlink(temporary);
    }
    free(temporary);
    return error == 0 ? DONE : file_trouble(k, "io", "write its result", error);
}

static outcome convert(job *j, piece *k) {
    outcome result = picture_decode(j->attempt, &j->w, k->from, k->bytes, k->length, &k->p, &k->t);
    if (result != DONE) return result;
    free(k->bytes);
    k->bytes = NULL;
    /* In the pixels that were decoded, which may be fewer than the file's. */
    plan way = plan_for(&j->w, k->p.original_width, k->p.original_height, k->p.orientation);
    double across = (double)k->p.width / k->p.original_width, down = (double)k->p.height / k->p.original_height;
    way.x *= across;
    way.width *= across;
    way.y *= down;
    way.height *= down;
    result = picture_scale(j->attempt, &way, &k->p, &k->t);
    if (result == DONE) result = picture_turn(&k->p, &k->t);
    return result == DONE ? picture_encode(&j->w, k->to, &k->p, &k->out, &k->t) : result;
}

static const char *code_of(const piece *k, outcome result) {
    if (k->code != NULL) return k->code;
    switch (result) {
    case NOT_AN_IMAGE: return "not_an_image";
    case TOO_LARGE: return "too_large";
    case OUT_OF_MEMORY: return "out_of_memory";
    default: return "broken_image";
    }
}

static void tell_done(job *j, const piece *k, const char *input, const char *output) {
    const pawl_host *host = j->attempt->host;
    if (k->p.warnings > 0) {
        log_line(j->attempt, PAWL_LOG_WARNING, "%s: %s", input, k->p.warning.words);
        host->count(j->attempt, PAWL_STR("warnings"), 1);
        j->warnings++;
    }
    host->count(j->attempt, PAWL_STR("images"), 1);
    j->images++;
    j->output_bytes += k->out.length;
    if (j->images > LISTED_MAX) return;
    text_format(&j->list, "%s{\"input\":", j->images > 1 ? "," : "");
    text_string(&j->list, input, strlen(input));
    text_put(&j->list, ",\"output\":", 10);
    text_string(&j->list, output, strlen(output));
    text_format(&j->list, ",\"format\":\"%s\",\"width\":%" PRIu32 ",\"height\":%" PRIu32 ",\"bytes\":%zu,\"original_format\":\"%s\","
                          "\"original_width\":%" PRIu32 ",\"original_height\":%" PRIu32 "}",
                format_name(k->to), k->p.width, k->p.height, k->out.length, format_name(k->from), k->p.original_width, k->p.original_height);
}

static void tell_error(job *j, const piece *k, outcome result, const char *input) {
    const char *code = code_of(k, result);
    log_line(j->attempt, PAWL_LOG_WARNING, "%s: %s", input, k->t.words[0] != 0 ? k->t.words : "out of memory");
    j->attempt->host->count(j->attempt, PAWL_STR("errors"), 1);
    if (++j->errors > ERRORS_MAX) return;
    text_format(&j->failed, "%s{\"input\":", j->failed.length > 0 ? "," : "");
    text_string(&j->failed, input, strlen(input));
    text_format(&j->failed, ",\"code\":\"%s\",\"message\":", code);
    text_string(&j->failed, k->t.words, strlen(k->t.words));
    text_put(&j->failed, "}", 1);
}

static void piece_free(piece *k) {
    free(k->bytes);
    free(k->out.bytes);
    picture_free(&k->p);
}

static const char *ending_of(format f) {
    static const char *const endings[] = {"", ".jpg", ".png", ".webp"};
    return endings[f];
}

/* What the name promises. */
static format format_by_name(const char *path) {
    const char *dot = strrchr(path, '.');
    if (dot == NULL || strchr(dot, '/') != NULL) return FORMAT_NONE;
    if (strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0 || strcasecmp(dot, ".jpe") == 0) return FORMAT_JPEG;
    return strcasecmp(dot, ".png") == 0 ? FORMAT_PNG : strcasecmp(dot, ".webp") == 0 ? FORMAT_WEBP : FORMAT_NONE;
}

static int32_t result_of(job *j) {
    text t = {0};
    text_format(&t, "{\"images\":%" PRIu64 ",\"errors\":%" PRIu64 ",\"warnings\":%" PRIu64 ",\"skipped\":%" PRIu64 ",\"kept\":%" PRIu64
                    ",\"input_bytes\":%" PRIu64 ",\"output_bytes\":%" PRIu64 ",\"files\":[",
                j->images, j->errors, j->warnings, j->skipped, j->kept, j->input_bytes, j->output_bytes);
    text_put(&t, j->list.bytes, j->list.length);
    text_put(&t, "],\"failed\":[", 12);
    text_put(&t, j->failed.bytes, j->failed.length);
    text_put(&t, "]}", 2);
    t.failed |= j->list.failed | j->failed.failed;
    return text_result(&t, j->attempt);
}

static int32_t one_image(job *j) {
    piece k = {0};
    const char *input = j->input.ptr, *output = j->output.ptr;
    struct stat info;
    j->attempt->host->set_stage(j->attempt, PAWL_STR("Making a thumbnail"));
    j->attempt->host->set_total(j->attempt, 1, PAWL_STR("images"));
    if (stat(output, &info) == 0 && S_ISDIR(info.st_mode)) return wrong(j->attempt, "output", "is a folder, but \"input\" is one file");
    if (!j->overwrite && access(output, F_OK) == 0) {
        j->kept = 1;
        j->attempt->host->count(j->attempt, PAWL_STR("kept"), 1);
        return result_of(j);
    }
    outcome result = load(j, &k, input);
    k.to = j->format != FORMAT_NONE ? j->format : format_by_name(output) != FORMAT_NONE ? format_by_name(output) : k.from;
    if (result == DONE) result = convert(j, &k);
    if (result == DONE) result = save(j, &k, output);
    j->input_bytes = k.length;
    int32_t status = PAWL_OK;
    if (result == CANCELLED) status = PAWL_E_CANCELLED;
    else if (result != DONE) {
        /* What is wrong with the file stays wrong; memory and disks recover. */
        int32_t retry = result == OUT_OF_MEMORY || k.error == EIO || k.error == ENOSPC || k.error == EMFILE ? PAWL_RETRY_BY_POLICY : PAWL_RETRY_NEVER;
        status = fail_with(j->attempt, code_of(&k, result), retry, "%s: %s", input, k.t.words[0] != 0 ? k.t.words : "out of memory");
    } else {
        tell_done(j, &k, input, output);
        j->attempt->host->advance(j->attempt, 1);
        status = result_of(j);
    }
    piece_free(&k);
    return status;
}

/* "a.png" as JPEG is "a.png.jpg": "a.jpg" may be there as well, and has the same right to its name. */
static char *result_name(job *j, const char *file, format to) {
    size_t room = j->output.len + strlen(file) + 8;
    char *name = malloc(room);
    if (name == NULL) return NULL;
    snprintf(name, room, "%s/%s%s", j->output.ptr, file, format_by_name(file) == to ? "" : ending_of(to));
    return name;
}

/* An outcome that ends the whole is returned; what is wrong with this image alone is told. */
static outcome image_of_folder(job *j, const char *file) {
    piece k = {0};
    char *input = join_path(j->input.ptr, file), *output = NULL;
    outcome result = input == NULL ? OUT_OF_MEMORY : load(j, &k, input);
    int error, is_image = result != DONE || k.from != FORMAT_NONE;
    if (!is_image && format_by_name(file) == FORMAT_NONE) {
        j->skipped++;
        j->attempt->host->count(j->attempt, PAWL_STR("skipped"), 1);
        goto end;
    }
    k.to = j->format != FORMAT_NONE ? j->format : k.from;
    if (result == DONE && (output = result_name(j, file, k.to)) == NULL) result = OUT_OF_MEMORY;
    if (result == DONE && !j->overwrite && access(output, F_OK) == 0) {
        j->kept++;
        j->attempt->host->count(j->attempt, PAWL_STR("kept"), 1);
        goto end;
    }
    if (result == DONE) result = convert(j, &k);
    if (result == DONE && (error = make_folders(output)) != 0) result = file_trouble(&k, "io", "make the folder of its result", error);
    if (result == DONE) result = save(j, &k, output);
    j->input_bytes += k.length;
    if (result == DONE) tell_done(j, &k, input, output);
    /* A disk that is full, or a folder that cannot be written to, is the whole's trouble. */
    else if (result != CANCELLED && input != NULL && (k.code == NULL || strcmp(k.code, "io") != 0)) tell_error(j, &k, result, input);
    if (result != CANCELLED && k.code != NULL && strcmp(k.code, "io") == 0) {
        fail_with(j->attempt, "io", k.error == EACCES || k.error == EROFS || k.error == ENOTDIR ? PAWL_RETRY_NEVER : PAWL_RETRY_BY_POLICY, "%s: %s", output, k.t.words);
        result = NOT_AN_IMAGE; /* told */
    } else if (result != CANCELLED) result = DONE;
end:
    free(input);
    free(output);
    piece_free(&k);
    return result;
}

static int32_t folder(job *j) {
    const pawl_host *host = j->attempt->host;
    walk w = {.attempt = j->attempt, .recursive = j->recursive, .limit = (size_t)j->max_files};
    host->set_stage(j->attempt, PAWL_STR("Looking for images"));
    walk_leave_out(&w, j->output.ptr);
    int32_t status = walk_folder(&w, j->input.ptr);
    j->errors = w.unreadable;
    if (status == PAWL_OK) {
        host->set_stage(j->attempt, PAWL_STR("Making thumbnails"));
        host->set_total(j->attempt, w.count, PAWL_STR("files"));
    }
    for (size_t i = 0; status == PAWL_OK && i < w.count; i++) {
        if (host->is_cancelled(j->attempt)) {
            status = PAWL_E_CANCELLED;
            break;
        }
        host->set_message(j->attempt, (pawl_str){w.files[i], strlen(w.files[i])});
        outcome result = image_of_folder(j, w.files[i]);
        if (result != DONE) status = result == CANCELLED ? PAWL_E_CANCELLED : PAWL_E_FAILED;
        else host->advance(j->attempt, 1);
    }
    walk_free(&w);
    if (status == PAWL_OK && j->errors > 0 && j->images == 0 && j->kept == 0)
        return fail_with(j->attempt, "no_image", PAWL_RETRY_NEVER, "of %" PRIu64 " images none could be made smaller; the log says why", j->errors);
    return status == PAWL_OK ? result_of(j) : status;
}

static int32_t thumbnail(void *user, pawl_attempt *attempt, pawl_bytes json) {
    job j = {.attempt = attempt};
    struct stat info, out;
    (void)user;
    (void)json;
    int32_t status = options_read(&j);
    if (status == PAWL_OK) {
        if (stat(j.input.ptr, &info) != 0)
            status = fail_with(attempt, errno == ENOENT ? "file_not_found" : "unreadable", PAWL_RETRY_NEVER, "cannot open %s: %s", j.input.ptr, strerror(errno));
        else if (stat(j.output.ptr, &out) == 0 && out.st_dev == info.st_dev && out.st_ino == info.st_ino)
            status = wrong(attempt, "output", "is the input: the originals would be written over");
        else status = S_ISDIR(info.st_mode) ? folder(&j) : one_image(&j);
    }
    text_free(&j.list);
    text_free(&j.failed);
    return status;
}

static const pawl_limits limits = {.struct_size = sizeof limits, .attempts = 3, .wall_ms = 6 * 3600 * 1000, .memory_bytes = UINT64_C(3) << 30,
                                   .file_bytes = UINT64_C(1) << 30, .open_files = 64};

static const pawl_handler handlers[] = {
    {.struct_size = sizeof(pawl_handler), .name = "image.thumbnail",
     .description = "Makes smaller copies of an image, or of all images below a folder, upright and in the format that is wished for.",
     .args_schema = SCHEMA_HEAD
         "\"input\":{" SCHEMA_PATH ",\"description\":\"a JPEG, PNG or WebP file, or a folder\"},"
         "\"output\":{" SCHEMA_PATH ",\"description\":\"the file, or a folder, which is made\"},"
         "\"width\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":16383},"
         "\"height\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":16383},"
         "\"fit\":{\"enum\":[\"contain\",\"cover\",\"fill\"],\"default\":\"contain\","
         "\"description\":\"contain: all of it, in the box; cover: the box is filled, the rest cut off; fill: distorted\"},"
         "\"enlarge\":{\"type\":\"boolean\",\"default\":false,\"description\":\"whether a small image is made larger\"},"
         "\"format\":{\"enum\":[\"jpeg\",\"png\",\"webp\"],\"description\":\"absent: by output's ending, else as the input\"},"
         "\"quality\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":100,\"default\":82,\"description\":\"of JPEG and WebP\"},"
         "\"background\":{\"type\":\"string\",\"pattern\":\"^#[0-9a-fA-F]{6}$\",\"default\":\"#ffffff\","
         "\"description\":\"under what is transparent, in a JPEG\"},"
         "\"overwrite\":{\"type\":\"boolean\",\"default\":true,\"description\":\"false: what is there stays\"},"
         "\"recursive\":{\"type\":\"boolean\",\"default\":true,\"description\":\"folders in folders too\"},"
         "\"strict\":{\"type\":\"boolean\",\"default\":false,\"description\":\"a warning of the decoder is an error\"},"
         "\"max_pixels\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":250000000,\"default\":100000000,"
         "\"description\":\"larger images are refused before they are decoded\"},"
         "\"max_bytes\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":1073741824,\"default\":268435456,\"description\":\"of an input file\"},"
         "\"max_files\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":10000000,\"default\":1000000}"
         "},\"required\":[\"input\",\"output\"],\"anyOf\":[{\"required\":[\"width\"]},{\"required\":[\"height\"]}],"
         "\"additionalProperties\":false}",
     .result_schema = "{\"type\":\"object\",\"properties\":{\"images\":{\"type\":\"integer\"},\"errors\":{\"type\":\"integer\"},"
         "\"warnings\":{\"type\":\"integer\"},"
         "\"skipped\":{\"type\":\"integer\",\"description\":\"files that are no images\"},"
         "\"kept\":{\"type\":\"integer\",\"description\":\"results that were there already\"},"
         "\"input_bytes\":{\"type\":\"integer\"},\"output_bytes\":{\"type\":\"integer\"},"
         "\"files\":{\"type\":\"array\",\"description\":\"the first 1000\",\"items\":{\"type\":\"object\",\"properties\":{"
         "\"input\":{\"type\":\"string\"},\"output\":{\"type\":\"string\"},\"format\":{\"type\":\"string\"},"
         "\"width\":{\"type\":\"integer\"},\"height\":{\"type\":\"integer\"},\"bytes\":{\"type\":\"integer\"},"
         "\"original_format\":{\"type\":\"string\"},\"original_width\":{\"type\":\"integer\"},\"original_height\":{\"type\":\"integer\"}}}},"
         "\"failed\":{\"type\":\"array\",\"description\":\"the first 100\",\"items\":{\"type\":\"object\",\"properties\":{"
         "\"input\":{\"type\":\"string\"},\"code\":{\"type\":\"string\"},\"message\":{\"type\":\"string\"}}}}}}",
     .limits = &limits, .run = thumbnail}};

AUTHOR_PLUGIN("image", "1.0.0", handlers, NULL, NULL)
