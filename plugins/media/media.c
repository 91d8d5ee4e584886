/* media.c - media.metadata: what the images, sounds and films below a folder say about themselves, one JSON line each.
 *
 * It is the cookbook's full example. Two stages: "Looking for files" with an unknown total, then "Reading" with a known one, the file's
 * name as the message, and counters for what became of the files. It can be stopped at any place, also within a file. The output gets
 * its name when it is whole, so that doing the run twice does no harm, and the second time only reads what changed: lines of files with
 * the same size and time are copied from the output that is there. A file that is able to crash a library does so at every attempt: the
 * journal says which one was being read, and a file that was twice the last one of an attempt is left out of the next. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/author.h"
#include "../common/walk.h"
#include "../csv/sha256.h"
#include "previous.h"
#include "reader.h"

#define FLUSH_AT (256u << 10)
#define PIECE (256u << 10)
#define EXTENSIONS_MAX 200
#define STRIKES_MAX 2             /* attempts that may end while the same file is read; one may be the host's fault */
#define JOURNAL_MAX (64u << 10)

typedef struct job {
    pawl_attempt *attempt;
    pawl_str input, output;
    const char **extensions;
    size_t extension_count;
    int32_t recursive, hidden, incremental, checksum;
    int64_t budget, max_files;
    walk files;
    previous before;
    char *temporary, *journal;
    int fd, journal_fd;
    text strikes; /* what earlier attempts ended with, each with a zero byte behind it; then comes ours in the journal */
    text out;
    /* what became of the files */
    uint64_t updates, unchanged, removed, errors, warnings, skipped, read_bytes, written_bytes;
    uint64_t images, sounds, films, subtitles, others;
    int64_t duration_ms;
} job;

static int32_t options_read(job *j) {
    static const char *const known[] = {"input", "output", "recursive", "hidden", "extensions", "incremental", "sha256", "max_read_bytes", "max_files"};
    pawl_attempt *attempt = j->attempt;
    j->recursive = j->incremental = 1;
    j->budget = 64 << 20;
    j->max_files = 1000000;
    TRY(args->only(attempt, known, sizeof known / sizeof known[0]));
    TRY(read_path(attempt, "input", 1, &j->input));
    TRY(read_path(attempt, "output", 1, &j->output));
    TRY(args->get_bool(attempt, "recursive", &j->recursive));
    TRY(args->get_bool(attempt, "hidden", &j->hidden));
    TRY(read_list(attempt, "extensions", EXTENSIONS_MAX, &j->extensions, &j->extension_count));
    TRY(args->get_bool(attempt, "incremental", &j->incremental));
    TRY(args->get_bool(attempt, "sha256", &j->checksum));
    TRY(args->get_int(attempt, "max_read_bytes", 65536, INT64_C(1) << 40, &j->budget));
    TRY(args->get_int(attempt, "max_files", 1, 10000000, &j->max_files));
    return PAWL_OK;
}

static int32_t no_memory(job *j) { return fail_with(j->attempt, "out_of_memory", PAWL_RETRY_BY_POLICY, "out of memory"); }

static int32_t output_failed(job *j, const char *what, int error) {
    int final = error == EACCES || error == ENOENT || error == ENOTDIR || error == EISDIR || error == EROFS;
    return fail_with(j->attempt, "io", final ? PAWL_RETRY_NEVER : PAWL_RETRY_BY_POLICY, "cannot %s %s: %s", what, j->output.ptr, strerror(error));
}

static int is_wanted(const job *j, const char *file) {
    const char *slash = strrchr(file, '/'), *dot = strrchr(file, '.');
    if (j->extension_count == 0) return 1;
    if (dot == NULL || (slash != NULL && dot < slash)) return 0;
    for (size_t i = 0; i < j->extension_count; i++)
        if (strcasecmp(dot + 1, j->extensions[i][0] == '.' ? j->extensions[i] + 1 : j->extensions[i]) == 0) return 1;
    return 0;
}

/* A file whose name promises media, and which is none, is worth a word. */
static int promises_media(const char *file) {
    static const char endings[] = " jpg jpeg png gif webp tif tiff bmp mp3 flac ogg opus wav m4a aac wma aiff mp4 m4v mov mkv webm avi wmv mpg mpeg ts ";
    const char *dot = strrchr(file, '.');
    char word[16];
    if (dot == NULL || strlen(dot) > 8) return 0;
    snprintf(word, sizeof word, " %s ", dot + 1);
    return strcasestr(endings, word) != NULL;
}

/* All files, sorted; the earlier output and this one are none of them. */
static int32_t list_files(job *j) {
    const pawl_host *host = j->attempt->host;
    struct stat info;
    host->set_stage(j->attempt, PAWL_STR("Looking for files"));
    host->set_total(j->attempt, PAWL_TOTAL_UNKNOWN, PAWL_STR("files"));
    j->files = (walk){.attempt = j->attempt, .recursive = j->recursive, .hidden = j->hidden, .limit = (size_t)j->max_files};
    if (stat(j->input.ptr, &info) != 0 && (errno == ENOENT || errno == ENOTDIR))
        return fail_with(j->attempt, "file_not_found", PAWL_RETRY_NEVER, "there is no %s", j->input.ptr);
    walk_leave_out(&j->files, j->output.ptr);
    int32_t status = walk_folder(&j->files, j->input.ptr);
    size_t kept = 0;
    for (size_t i = 0; status == PAWL_OK && i < j->files.count; i++) {
        char *file = j->files.files[i];
        if (is_wanted(j, file)) j->files.files[kept++] = file;
        else free(file);
    }
    if (status == PAWL_OK) j->files.count = kept;
    j->errors = j->files.unreadable;
    return status;
}

static int32_t open_output(job *j) {
    int error = j->incremental ? previous_open(&j->before, j->output.ptr) : 0;
    if (error != 0) return output_failed(j, "read", error);
    j->temporary = temporary_name(j->attempt, j->output.ptr);
    if (j->temporary == NULL) return no_memory(j);
    unlink(j->temporary); /* of an earlier attempt that was killed */
    j->fd = open(j->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
    return j->fd < 0 ? output_failed(j, "write", errno) : PAWL_OK;
}

/* Beside the output, since the scratch directory goes with the attempt. */
static int32_t open_journal(job *j) {
    size_t room = strlen(j->temporary) + 16;
    char piece[4096];
    j->journal = malloc(room);
    if (j->journal == NULL) return no_memory(j);
    snprintf(j->journal, room, "%s.reading", j->temporary);
    j->journal_fd = open(j->journal, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (j->journal_fd < 0) return output_failed(j, "write beside", errno);
    for (ssize_t got; (got = read(j->journal_fd, piece, sizeof piece)) > 0 && j->strikes.length < JOURNAL_MAX;)
        text_put(&j->strikes, piece, (size_t)got);
    while (j->strikes.length > 0 && j->strikes.bytes[j->strikes.length - 1] != 0) j->strikes.length--; /* half a name */
    return PAWL_OK;
}

/* Two system calls for each file that is read: dear for counting, cheap beside opening it. */
static void note_reading(job *j, const char *file) {
    size_t length = strlen(file) + 1;
    if (pwrite(j->journal_fd, file, length, (off_t)j->strikes.length) == (ssize_t)length &&
        ftruncate(j->journal_fd, (off_t)(j->strikes.length + length)) == 0) return;
    /* Without a journal the run is as good as before, but for a hostile file. */
}

static unsigned strikes_of(const job *j, const char *file) {
    unsigned count = 0;
    for (size_t at = 0; at < j->strikes.length; at += strlen(j->strikes.bytes + at) + 1) count += strcmp(j->strikes.bytes + at, file) == 0;
    return count;
}

/* An attempt that ends in good order blames no file. */
static void close_journal(job *j, int32_t status) {
    if (j->journal_fd < 0) return;
    int needed = status != PAWL_OK && status != PAWL_E_CANCELLED && j->strikes.length > 0;
    if (!needed || ftruncate(j->journal_fd, (off_t)j->strikes.length) != 0) unlink(j->journal);
    close(j->journal_fd);
}

static int32_t flush(job *j) {
    int error = j->out.failed ? ENOMEM : write_all(j->fd, j->out.bytes, j->out.length);
    j->written_bytes += j->out.length;
    j->out.length = 0;
    return error == 0 ? PAWL_OK : output_failed(j, "write", error);
}

/* PAWL_OK, PAWL_E_CANCELLED, or PAWL_E_FAILED with errno. */
static int32_t checksum(job *j, int fd, char hex[65]) {
    sha256 hash;
    sha256_init(&hash);
    char *piece = malloc(PIECE);
    int32_t status = piece == NULL ? PAWL_E_FAILED : PAWL_OK;
    for (off_t at = 0; status == PAWL_OK;) {
        ssize_t got = pread(fd, piece, PIECE, at);
        if (j->attempt->host->is_cancelled(j->attempt)) status = PAWL_E_CANCELLED;
        else if (got < 0 && errno != EINTR) status = PAWL_E_FAILED;
        if (got == 0) break;
        if (status != PAWL_OK || got < 0) continue;
        sha256_update(&hash, piece, (size_t)got);
        at += got;
        j->read_bytes += (uint64_t)got;
    }
    int error = errno;
    free(piece);
    errno = error;
    if (status == PAWL_OK) sha256_finish(&hash, hex);
    return status;
}

static int64_t mtime_of(const struct stat *info) { return (int64_t)info->st_mtim.tv_sec * 1000000 + info->st_mtim.tv_nsec / 1000; }

/* One bad file is no reason to stop. */
static int32_t tell_error(job *j, const char *file, int error) {
    log_line(j->attempt, PAWL_LOG_WARNING, "cannot read %s: %s", file, strerror(error));
    j->attempt->host->count(j->attempt, PAWL_STR("errors"), 1);
    j->errors++;
    return PAWL_OK;
}

static void count_kind(job *j, const char *kind) {
    if (strcmp(kind, "image") == 0) j->images++;
    else if (strcmp(kind, "audio") == 0) j->sounds++;
    else if (strcmp(kind, "video") == 0) j->films++;
    else if (strcmp(kind, "subtitles") == 0) j->subtitles++;
    else j->others++;
}

static void put_line(job *j, const char *file, const struct stat *info, const char *hex, description *d) {
    text_put(&j->out, "{\"path\":", 8);
    text_string(&j->out, file, strlen(file));
    text_format(&j->out, ",\"size\":%" PRIu64 ",\"mtime_us\":%" PRId64, (uint64_t)info->st_size, mtime_of(info));
    if (j->checksum) text_format(&j->out, ",\"sha256\":\"%s\"", hex);
    text_format(&j->out, ",\"kind\":\"%s\"", d->kind);
    text_put(&j->out, d->members.bytes, d->members.length);
    j->out.failed |= d->members.failed;
    if (d->warning[0] != 0) put_text(&j->out, "warning", d->warning);
    text_put(&j->out, "}\n", 2);
}

static int32_t read_file(job *j, const char *file, const char *path) {
    description d = {0};
    struct stat info;
    char hex[65] = "";
    int32_t status = PAWL_OK;
    if (strikes_of(j, file) >= STRIKES_MAX) {
        log_line(j->attempt, PAWL_LOG_WARNING, "%s is left out: %d attempts ended while it was read", file, STRIKES_MAX);
        j->attempt->host->count(j->attempt, PAWL_STR("errors"), 1);
        j->errors++;
        return PAWL_OK;
    }
    int fd = open_regular(path);
    if (fd < 0) return tell_error(j, file, errno);
    note_reading(j, file);
    if (fstat(fd, &info) != 0) {
        status = tell_error(j, file, errno);
        close(fd);
        return status;
    }
    outcome result = describe(j->attempt, fd, (uint64_t)info.st_size, (uint64_t)j->budget, &d);
    if (result == DESCRIBED || result == NO_MEDIA) {
        if (j->checksum) {
            status = checksum(j, fd, hex);
            if (status == PAWL_E_CANCELLED) result = CANCELLED;
            else if (status != PAWL_OK) result = READ_FAILED;
        }
    }
    int error = errno;
    if (result == NO_MEDIA && d.warning[0] == 0 && promises_media(file)) snprintf(d.warning, sizeof d.warning, "it is not what its name says");
    if (result == CANCELLED) status = PAWL_E_CANCELLED;
    else if (result == READ_FAILED) status = tell_error(j, file, error);
    else {
        if (d.warning[0] != 0) {
            log_line(j->attempt, PAWL_LOG_WARNING, "%s: %s", file, d.warning);
            j->attempt->host->count(j->attempt, PAWL_STR("warnings"), 1);
            j->warnings++;
        }
        put_line(j, file, &info, hex, &d);
        count_kind(j, d.kind);
        j->attempt->host->count(j->attempt, PAWL_STR("updates"), 1);
        j->updates++;
        j->duration_ms += d.duration_ms;
        j->read_bytes += d.read_bytes;
        status = PAWL_OK;
    }
    text_free(&d.members);
    close(fd);
    return status;
}

/* Lines of files that are gone. */
static void drop_before(job *j, const char *file) {
    while (j->before.path != NULL && (file == NULL || strcmp(j->before.path, file) < 0)) {
        j->attempt->host->count(j->attempt, PAWL_STR("removed"), 1);
        j->removed++;
        previous_next(&j->before);
    }
}

/* Both are sorted by path: one pass over each is enough, however long they are. */
static int32_t one_file(job *j, const char *file) {
    struct stat info;
    char *path = join_path(j->input.ptr, file);
    int32_t status = PAWL_OK;
    if (path == NULL) return no_memory(j);
    drop_before(j, file);
    int is_known = j->before.path != NULL && strcmp(j->before.path, file) == 0;
    if (is_known && lstat(path, &info) == 0 && S_ISREG(info.st_mode) && (uint64_t)info.st_size == j->before.size &&
        mtime_of(&info) == j->before.mtime_us && (!j->checksum || j->before.has_sha256)) {
        text_put(&j->out, j->before.line, j->before.length);
        j->attempt->host->count(j->attempt, PAWL_STR("unchanged"), 1);
        j->unchanged++;
    } else {
        status = read_file(j, file, path);
    }
    if (is_known) previous_next(&j->before);
    free(path);
    if (status == PAWL_OK && (j->out.length >= FLUSH_AT || j->out.failed)) status = flush(j);
    return status;
}

static int32_t read_files(job *j) {
    const pawl_host *host = j->attempt->host;
    int32_t status = PAWL_OK;
    host->set_stage(j->attempt, PAWL_STR("Reading"));
    host->set_total(j->attempt, j->files.count, PAWL_STR("files"));
    for (size_t i = 0; status == PAWL_OK && i < j->files.count; i++) {
        const char *file = j->files.files[i];
        if (host->is_cancelled(j->attempt)) return PAWL_E_CANCELLED;
        host->set_message(j->attempt, (pawl_str){file, strlen(file)});
        status = one_file(j, file);
        if (status == PAWL_OK) host->advance(j->attempt, 1);
    }
    if (status == PAWL_OK) drop_before(j, NULL);
    if (j->before.ignored > 0)
        log_line(j->attempt, PAWL_LOG_WARNING, "%s: %" PRIu64 " lines are not of this handler; their files were read again", j->output.ptr, j->before.ignored);
    return status;
}

static int32_t publish(job *j) {
    if (j->errors > 0 && j->updates + j->unchanged == 0)
        return fail_with(j->attempt, "unreadable", PAWL_RETRY_BY_POLICY, "none of the files could be read; the log says why");
    TRY(flush(j));
    int error = commit_file(j->fd, j->temporary, j->output.ptr);
    if (error != 0) return output_failed(j, "write", error);
    free(j->temporary);
    j->temporary = NULL;
    text t = {0};
    text_format(&t, "{\"files\":%zu,\"updates\":%" PRIu64 ",\"unchanged\":%" PRIu64 ",\"removed\":%" PRIu64 ",\"errors\":%" PRIu64
                    ",\"warnings\":%" PRIu64,
                j->files.count, j->updates, j->unchanged, j->removed, j->errors, j->warnings);
    text_format(&t, ",\"read\":{\"images\":%" PRIu64 ",\"audio\":%" PRIu64 ",\"video\":%" PRIu64 ",\"subtitles\":%" PRIu64 ",\"other\":%" PRIu64
                    ",\"duration_ms\":%" PRId64 ",\"bytes\":%" PRIu64 "},\"output_bytes\":%" PRIu64 ",\"output\":",
                j->images, j->sounds, j->films, j->subtitles, j->others, j->duration_ms, j->read_bytes, j->written_bytes);
    text_string(&t, j->output.ptr, j->output.len);
    text_put(&t, "}", 1);
    return text_result(&t, j->attempt);
}

static int32_t metadata(void *user, pawl_attempt *attempt, pawl_bytes json) {
    job j = {.attempt = attempt, .fd = -1, .journal_fd = -1};
    (void)user;
    (void)json;
    int32_t status = options_read(&j);
    if (status == PAWL_OK) status = list_files(&j);
    if (status == PAWL_OK) status = open_output(&j);
    if (status == PAWL_OK) status = open_journal(&j);
    if (status == PAWL_OK) status = read_files(&j);
    if (status == PAWL_OK) status = publish(&j);
    /* Until it has the output's name, nothing of it stays. */
    if (j.fd >= 0) close(j.fd);
    if (j.fd >= 0 && j.temporary != NULL) unlink(j.temporary);
    close_journal(&j, status);
    free(j.temporary);
    free(j.journal);
    text_free(&j.strikes);
    previous_close(&j.before);
    walk_free(&j.files);
    text_free(&j.out);
    free(j.extensions);
    return status;
}

static int32_t child_start(void) {
    reader_start();
    return PAWL_OK;
}

static const pawl_limits limits = {.struct_size = sizeof limits, .attempts = 5, .wall_ms = 6 * 3600 * 1000, .memory_bytes = UINT64_C(2) << 30,
                                   .open_files = 64};

static const pawl_handler handlers[] = {
    {.struct_size = sizeof(pawl_handler), .name = "media.metadata",
     .description = "Writes what the images, sounds and films below a folder say about themselves as JSON lines; reads only what changed.",
     .args_schema = SCHEMA_HEAD
         "\"input\":{" SCHEMA_PATH ",\"description\":\"the folder\"},"
         "\"output\":{" SCHEMA_PATH ",\"description\":\"the JSONL file; appears when it is whole\"},"
         "\"recursive\":{\"type\":\"boolean\",\"default\":true,\"description\":\"folders in folders too\"},"
         "\"hidden\":{\"type\":\"boolean\",\"default\":false,\"description\":\"names that begin with a dot too\"},"
         "\"extensions\":{\"type\":\"array\",\"items\":{\"type\":\"string\",\"minLength\":1},\"maxItems\":200,"
         "\"description\":\"only files with these endings; absent: all\"},"
         "\"incremental\":{\"type\":\"boolean\",\"default\":true,"
         "\"description\":\"keep the lines of files whose size and time are those of the output that is there\"},"
         "\"sha256\":{\"type\":\"boolean\",\"default\":false,\"description\":\"reads every byte\"},"
         "\"max_read_bytes\":{\"type\":\"integer\",\"minimum\":65536,\"maximum\":1099511627776,\"default\":67108864,"
         "\"description\":\"of a file, for its metadata\"},"
         "\"max_files\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":10000000,\"default\":1000000}"
         "},\"required\":[\"input\",\"output\"],\"additionalProperties\":false}",
     .result_schema = "{\"type\":\"object\",\"properties\":{\"files\":{\"type\":\"integer\"},"
         "\"updates\":{\"type\":\"integer\",\"description\":\"lines that are new\"},"
         "\"unchanged\":{\"type\":\"integer\",\"description\":\"lines of before\"},"
         "\"removed\":{\"type\":\"integer\",\"description\":\"lines of files that are gone\"},"
         "\"errors\":{\"type\":\"integer\",\"description\":\"files and folders that could not be read\"},"
         "\"warnings\":{\"type\":\"integer\",\"description\":\"files with something odd\"},"
         "\"read\":{\"type\":\"object\",\"properties\":{\"images\":{\"type\":\"integer\"},\"audio\":{\"type\":\"integer\"},"
         "\"video\":{\"type\":\"integer\"},\"subtitles\":{\"type\":\"integer\"},\"other\":{\"type\":\"integer\"},"
         "\"duration_ms\":{\"type\":\"integer\"},\"bytes\":{\"type\":\"integer\"}}},"
         "\"output\":{\"type\":\"string\"},\"output_bytes\":{\"type\":\"integer\"}}}",
     .limits = &limits, .run = metadata}};

AUTHOR_PLUGIN("media", "1.0.0", handlers, NULL, child_start)
