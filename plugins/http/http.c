/* http.c - http.fetch: downloads a URL into a file, which appears whole or not at all.
 *
 * What has come is kept beside the file between attempts (FILE.RUN.part, with the ETag in FILE.RUN.part.tag), and an attempt
 * goes on where the last one stopped, as long as the server says by If-Range that it is still the same. 5xx, 408, 425, 429 and
 * faults of the network are worth another attempt, not before the time that Retry-After names. */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../common/author.h"
#include "../csv/sha256.h"

#define HEADERS_MAX 100
#define RETRY_AFTER_MAX_S 86400 /* a server that says more is not believed */
#define TAG_MAX 256

typedef struct fetch {
    pawl_attempt *attempt;
    pawl_str url, output, digest, ca_file;
    const char **headers;
    size_t header_count;
    int64_t max_bytes, connect_timeout_ms, idle_timeout_ms, max_redirects;
    int32_t overwrite;
    CURL *curl;
    char *part, *tag_file;
    int fd;
    uint64_t kept;           /* bytes of an earlier attempt that are asked to be continued */
    uint64_t received, size; /* of the whole file; size 0: not known */
    char sent_tag[TAG_MAX], tag[TAG_MAX], type[128];
    int64_t retry_after_s;   /* -1: none */
    long status;             /* of the answer whose headers are being read */
    bool body_begun, too_large, range_wrong;
    int write_error;
    sha256 hash;
    char hex[65];
} fetch;

static int is_hex(pawl_str digest) {
    return digest.len == 64 && strspn(digest.ptr, "0123456789abcdefABCDEF") == 64;
}

static int32_t options_read(fetch *f) {
    static const char *const known[] = {"url", "output", "sha256", "headers", "max_bytes", "connect_timeout_ms", "idle_timeout_ms",
                                        "max_redirects", "overwrite", "ca_file"};
    pawl_attempt *attempt = f->attempt;
    f->max_bytes = INT64_C(10) << 30;
    f->connect_timeout_ms = 10000;
    f->idle_timeout_ms = 60000;
    f->max_redirects = 10;
    f->overwrite = 1;
    TRY(args->only(attempt, known, sizeof known / sizeof known[0]));
    TRY(read_text(attempt, "url", 1, &f->url));
    if (strncasecmp(f->url.ptr, "http://", 7) != 0 && strncasecmp(f->url.ptr, "https://", 8) != 0)
        return wrong(attempt, "url", "must begin with http:// or https://");
    int32_t status = read_path(attempt, "output", 1, &f->output);
    if (status != PAWL_OK) return status;
    TRY(read_text(attempt, "sha256", 0, &f->digest));
    if (f->digest.len > 0 && !is_hex(f->digest)) return wrong(attempt, "sha256", "must be 64 hex digits");
    TRY(read_list(attempt, "headers", HEADERS_MAX, &f->headers, &f->header_count));
    for (size_t i = 0; i < f->header_count; i++)
        if (strchr(f->headers[i], ':') == NULL || f->headers[i][0] == ':' || strpbrk(f->headers[i], "\r\n") != NULL)
            return wrong(attempt, "headers", "must hold texts of the form \"Name: value\", without line breaks");
    TRY(args->get_int(attempt, "max_bytes", 1, INT64_C(1) << 50, &f->max_bytes));
    TRY(args->get_int(attempt, "connect_timeout_ms", 100, 600000, &f->connect_timeout_ms));
    TRY(args->get_int(attempt, "idle_timeout_ms", 1000, 3600000, &f->idle_timeout_ms));
    TRY(args->get_int(attempt, "max_redirects", 0, 50, &f->max_redirects));
    TRY(args->get_bool(attempt, "overwrite", &f->overwrite));
    TRY(read_path(attempt, "ca_file", 0, &f->ca_file));
    struct stat info;
    if (lstat(f->output.ptr, &info) == 0) {
        if (!S_ISREG(info.st_mode) && !S_ISLNK(info.st_mode)) return wrong(attempt, "output", "must name a regular file: something else is there");
        if (!f->overwrite) return fail_with(attempt, "exists", PAWL_RETRY_NEVER, "%s exists, and \"overwrite\" is false", f->output.ptr);
    }
    return PAWL_OK;
}

static int32_t file_failed(fetch *f, const char *what, int error) {
    return fail_with(f->attempt, "output", PAWL_RETRY_BY_POLICY, "cannot %s %s: %s", what, f->output.ptr, strerror(error));
}

static int32_t no_memory(fetch *f) { return fail_with(f->attempt, "out_of_memory", PAWL_RETRY_BY_POLICY, "out of memory"); }

/* Opens what an earlier attempt of this run left, and reads it through the hash. Without a tag it cannot be continued. */
static int32_t open_part(fetch *f) {
    pawl_str run = f->attempt->host->run_id(f->attempt);
    size_t room = f->output.len + run.len + 16;
    f->part = malloc(room);
    f->tag_file = malloc(room);
    if (f->part == NULL || f->tag_file == NULL) return no_memory(f);
    snprintf(f->part, room, "%s.%.*s.part", f->output.ptr, (int)run.len, run.ptr);
    snprintf(f->tag_file, room, "%s.tag", f->part);
    f->fd = open(f->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (f->fd < 0) return file_failed(f, "write beside", errno);
    sha256_init(&f->hash);
    int tag = open(f->tag_file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t length = tag < 0 ? 0 : read(tag, f->sent_tag, sizeof f->sent_tag - 1);
    if (tag >= 0) close(tag);
    if (length <= 0) return ftruncate(f->fd, 0) == 0 ? PAWL_OK : file_failed(f, "write beside", errno);
    f->sent_tag[length] = 0;
    char bytes[65536];
    for (ssize_t got; (got = read(f->fd, bytes, sizeof bytes)) != 0;) {
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return file_failed(f, "read what there is of", errno);
        sha256_update(&f->hash, bytes, (size_t)got);
        f->kept += (uint64_t)got;
        if (f->attempt->host->is_cancelled(f->attempt)) return PAWL_E_CANCELLED;
    }
    f->received = f->kept;
    return PAWL_OK;
}

/* The whole again, from its first byte. */
static void begin_anew(fetch *f) {
    if (ftruncate(f->fd, 0) != 0 || lseek(f->fd, 0, SEEK_SET) < 0) f->write_error = errno;
    sha256_init(&f->hash);
    f->received = 0;
}

/* A strong ETag, or else the date: by them the next attempt may continue. */
static void keep_tag(fetch *f) {
    if (f->tag[0] == 0) {
        unlink(f->tag_file);
        return;
    }
    int fd = open(f->tag_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0) return;
    if (write_all(fd, f->tag, strlen(f->tag)) != 0) unlink(f->tag_file);
    close(fd);
}

static void copy_value(char *to, size_t room, const char *value, size_t length) {
    size_t part = length < room - 1 ? length : 0; /* too long to be of use */
    memcpy(to, value, part);
    to[part] = 0;
}

static size_t on_header(char *line, size_t size, size_t count, void *user) {
    fetch *f = user;
    size_t length = size * count, whole = length;
    while (length > 0 && strchr("\r\n ", line[length - 1]) != NULL) length--;
    if (length > 5 && memcmp(line, "HTTP/", 5) == 0) {
        const char *space = memchr(line, ' ', length);
        f->status = space == NULL ? 0 : strtol(space, NULL, 10);
        f->tag[0] = f->type[0] = 0;
        f->retry_after_s = -1;
        return whole;
    }
    const char *colon = memchr(line, ':', length);
    if (colon == NULL) return whole;
    size_t name = (size_t)(colon - line);
    const char *value = colon + 1;
    while (value < line + length && (*value == ' ' || *value == '\t')) value++;
    size_t value_length = (size_t)(line + length - value);
    char word[128];
    if (name == 4 && strncasecmp(line, "etag", 4) == 0 && value_length > 0 && value[0] == '"') copy_value(f->tag, TAG_MAX, value, value_length);
    else if (name == 13 && strncasecmp(line, "last-modified", 13) == 0 && f->tag[0] == 0) copy_value(f->tag, TAG_MAX, value, value_length);
    else if (name == 12 && strncasecmp(line, "content-type", 12) == 0) copy_value(f->type, sizeof f->type, value, value_length);
    else if (name == 13 && strncasecmp(line, "content-range", 13) == 0 && f->status == 206) {
        copy_value(word, sizeof word, value, value_length);
        char *end = word;
        unsigned long long first = strncasecmp(word, "bytes ", 6) == 0 ? strtoull(word + 6, &end, 10) : UINT64_MAX;
        const char *slash = strchr(word, '/');
        if (end == word || *end != '-' || first != f->kept) f->range_wrong = true;
        else if (slash != NULL && slash[1] != '*') f->size = strtoull(slash + 1, NULL, 10);
    } else if (name == 14 && strncasecmp(line, "content-length", 14) == 0 && f->status == 200) {
        copy_value(word, sizeof word, value, value_length);
        f->size = strtoull(word, NULL, 10);
    } else if (name == 11 && strncasecmp(line, "retry-after", 11) == 0) {
        copy_value(word, sizeof word, value, value_length);
        char *end;
        long long seconds = strtoll(word, &end, 10);
        if (end == word || *end != 0) {
            time_t at = curl_getdate(word, NULL);
            seconds = at < 0 ? -1 : (long long)(at - time(NULL));
            if (at >= 0 && seconds < 0) seconds = 0;
        }
        f->retry_after_s = seconds > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : seconds;
    }
    return whole;
}

static void begin_body(fetch *f) {
    const pawl_host *host = f->attempt->host;
    f->body_begun = true;
    if (f->status == 200) begin_anew(f);
    keep_tag(f);
    if (f->status == 206) {
        log_line(f->attempt, PAWL_LOG_INFO, "going on behind %" PRIu64 " bytes of an earlier attempt", f->kept);
        host->count(f->attempt, PAWL_STR("resumed_bytes"), (int64_t)f->kept);
        host->advance(f->attempt, f->kept);
    }
    host->set_total(f->attempt, f->size > 0 ? f->size : PAWL_TOTAL_UNKNOWN, PAWL_STR("bytes"));
}

static size_t on_body(char *bytes, size_t size, size_t count, void *user) {
    fetch *f = user;
    size_t length = size * count;
    if (f->status != 200 && f->status != 206) return length; /* a page of words about the error */
    if (f->range_wrong) return 0;
    if (!f->body_begun) begin_body(f);
    if (f->received + length > (uint64_t)f->max_bytes || f->size > (uint64_t)f->max_bytes) {
        f->too_large = true;
        return 0;
    }
    if (f->write_error == 0) f->write_error = write_all(f->fd, bytes, length);
    if (f->write_error != 0) return 0;
    sha256_update(&f->hash, bytes, length);
    f->received += length;
    f->attempt->host->advance(f->attempt, length);
    return length;
}

static struct curl_slist *header_list(fetch *f) {
    struct curl_slist *list = NULL;
    for (size_t i = 0; i < f->header_count; i++) {
        struct curl_slist *longer = curl_slist_append(list, f->headers[i]);
        if (longer == NULL) {
            curl_slist_free_all(list);
            return NULL;
        }
        list = longer;
    }
    if (f->kept > 0) {
        char line[TAG_MAX + 64];
        snprintf(line, sizeof line, "Range: bytes=%" PRIu64 "-", f->kept);
        list = curl_slist_append(list, line);
        snprintf(line, sizeof line, "If-Range: %s", f->sent_tag);
        list = curl_slist_append(list, line);
    }
    return list;
}

static void configure(fetch *f, struct curl_slist *list, char *words) {
    curl_easy_setopt(f->curl, CURLOPT_URL, f->url.ptr);
    curl_easy_setopt(f->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    /* A page that was asked for with TLS is not taken without it. */
    curl_easy_setopt(f->curl, CURLOPT_REDIR_PROTOCOLS_STR, strncasecmp(f->url.ptr, "https:", 6) == 0 ? "https" : "http,https");
    curl_easy_setopt(f->curl, CURLOPT_FOLLOWLOCATION, (long)(f->max_redirects > 0));
    curl_easy_setopt(f->curl, CURLOPT_MAXREDIRS, (long)f->max_redirects);
    curl_easy_setopt(f->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(f->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)f->connect_timeout_ms);
    curl_easy_setopt(f->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(f->curl, CURLOPT_LOW_SPEED_TIME, (long)((f->idle_timeout_ms + 999) / 1000));
    curl_easy_setopt(f->curl, CURLOPT_USERAGENT, "pawl-http/1.0");
    curl_easy_setopt(f->curl, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(f->curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(f->curl, CURLOPT_HEADERDATA, f);
    curl_easy_setopt(f->curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(f->curl, CURLOPT_WRITEDATA, f);
    curl_easy_setopt(f->curl, CURLOPT_ERRORBUFFER, words);
    if (f->ca_file.len > 0) curl_easy_setopt(f->curl, CURLOPT_CAINFO, f->ca_file.ptr);
}

/* Drives the transfer, and wakes at once when the attempt is cancelled. */
static int32_t transfer(fetch *f, CURLM *multi, CURLcode *code) {
    const pawl_host *host = f->attempt->host;
    int running = 1;
    while (running > 0) {
        if (host->is_cancelled(f->attempt)) return PAWL_E_CANCELLED;
        CURLMcode fault = curl_multi_perform(multi, &running);
        struct curl_waitfd cancelled = {.fd = host->cancel_fd(f->attempt), .events = CURL_WAIT_POLLIN};
        if (fault == CURLM_OK && running > 0) fault = curl_multi_poll(multi, &cancelled, cancelled.fd >= 0 ? 1 : 0, cancelled.fd >= 0 ? 1000 : 50, NULL);
        if (fault != CURLM_OK) return fail_with(f->attempt, "curl", PAWL_RETRY_BY_POLICY, "libcurl: %s", curl_multi_strerror(fault));
    }
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(multi, &left)) != NULL;)
        if (message->msg == CURLMSG_DONE) *code = message->data.result;
    return PAWL_OK;
}

static void forget_part(fetch *f) {
    unlink(f->part);
    unlink(f->tag_file);
}

static int32_t refused(fetch *f) {
    char code[32], details[96];
    snprintf(code, sizeof code, "http_%ld", f->status);
    int again = f->status >= 500 || f->status == 408 || f->status == 425 || f->status == 429;
    int64_t not_before = again && f->retry_after_s >= 0 ? ((int64_t)time(NULL) + f->retry_after_s) * 1000 : 0;
    snprintf(details, sizeof details, "{\"status\":%ld,\"retry_after_s\":%" PRId64 "}", f->status, f->retry_after_s < 0 ? 0 : f->retry_after_s);
    if (!again) forget_part(f);
    fail_later(f->attempt, code, again ? PAWL_RETRY_YES : PAWL_RETRY_NEVER, not_before, details, "the server answered %ld", f->status);
    return again ? PAWL_E_RETRY : PAWL_E_FAILED;
}

/* What became of the transfer, in words. */
static int32_t judge(fetch *f, CURLcode code, const char *words) {
    if (f->too_large) {
        forget_part(f);
        return fail_with(f->attempt, "too_large", PAWL_RETRY_NEVER, "the file is larger than %" PRId64 " bytes", f->max_bytes);
    }
    if (f->write_error != 0) return file_failed(f, "write", f->write_error);
    if (f->range_wrong || f->status == 416) {
        forget_part(f);
        fail_with(f->attempt, "range", PAWL_RETRY_YES, "the server did not continue where it was asked to; the next attempt begins anew");
        return PAWL_E_RETRY;
    }
    if (code != CURLE_OK) {
        int is_final = code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_TOO_MANY_REDIRECTS ||
                       code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE;
        char name[32];
        snprintf(name, sizeof name, "curl_%d", (int)code);
        fail_with(f->attempt, name, is_final ? PAWL_RETRY_NEVER : PAWL_RETRY_YES, "%s (%s)", words[0] != 0 ? words : curl_easy_strerror(code),
                  is_final ? "final" : "worth another attempt");
        return is_final ? PAWL_E_FAILED : code == CURLE_OPERATION_TIMEDOUT ? PAWL_E_TIMEOUT : PAWL_E_RETRY;
    }
    if (f->status != 200 && f->status != 206) return refused(f);
    if (!f->body_begun) begin_body(f); /* an empty file */
    if (f->write_error != 0) return file_failed(f, "write", f->write_error);
    if (f->size > 0 && f->received != f->size) {
        fail_with(f->attempt, "incomplete", PAWL_RETRY_YES, "%" PRIu64 " bytes came of %" PRIu64, f->received, f->size);
        return PAWL_E_RETRY;
    }
    return PAWL_OK;
}

static int32_t publish(fetch *f) {
    sha256_finish(&f->hash, f->hex);
    if (f->digest.len > 0 && strcasecmp(f->hex, f->digest.ptr) != 0) {
        forget_part(f);
        return fail_with(f->attempt, "checksum", PAWL_RETRY_YES, "the SHA-256 of what came is %s, not %s", f->hex, f->digest.ptr);
    }
    int error = commit_file(f->fd, f->part, f->output.ptr);
    if (error != 0) return file_failed(f, "give its name to", error);
    unlink(f->tag_file);
    char *effective = NULL;
    curl_easy_getinfo(f->curl, CURLINFO_EFFECTIVE_URL, &effective);
    text t = {0};
    text_format(&t, "{\"bytes\":%" PRIu64 ",\"sha256\":\"%s\",\"status\":%ld,\"resumed_bytes\":%" PRIu64 ",\"content_type\":", f->received, f->hex,
                f->status, f->status == 206 ? f->kept : 0);
    text_string(&t, f->type, strlen(f->type));
    text_put(&t, ",\"url\":", 7);
    text_string(&t, effective == NULL ? f->url.ptr : effective, strlen(effective == NULL ? f->url.ptr : effective));
    text_put(&t, ",\"output\":", 10);
    text_string(&t, f->output.ptr, f->output.len);
    text_put(&t, "}", 1);
    return text_result(&t, f->attempt);
}

static int32_t download(fetch *f) {
    char words[CURL_ERROR_SIZE] = "";
    CURLcode code = CURLE_OK;
    CURLM *multi = curl_multi_init();
    f->curl = curl_easy_init();
    struct curl_slist *list = header_list(f);
    int32_t status = multi == NULL || f->curl == NULL || (list == NULL && f->header_count > 0) ? no_memory(f) : PAWL_OK;
    if (status == PAWL_OK) {
        configure(f, list, words);
        curl_multi_add_handle(multi, f->curl);
        f->attempt->host->set_stage(f->attempt, PAWL_STR("Downloading"));
        f->attempt->host->set_message(f->attempt, PAWL_STR("connecting"));
        status = transfer(f, multi, &code);
        if (status == PAWL_OK) status = judge(f, code, words);
        if (status == PAWL_OK) status = publish(f);
        curl_multi_remove_handle(multi, f->curl);
    }
    if (f->curl != NULL) curl_easy_cleanup(f->curl);
    if (multi != NULL) curl_multi_cleanup(multi);
    curl_slist_free_all(list);
    return status;
}

static int32_t fetch_url(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user;
    (void)json;
    fetch f = {.attempt = attempt, .fd = -1, .retry_after_s = -1};
    int32_t status = options_read(&f);
    if (status == PAWL_OK) status = open_part(&f);
    if (status == PAWL_OK) status = download(&f);
    if (f.fd >= 0) close(f.fd);
    /* Without a tag nothing can be continued, and a cancelled run has no next attempt. */
    if (status != PAWL_OK && f.part != NULL && (status == PAWL_E_CANCELLED || access(f.tag_file, F_OK) != 0)) forget_part(&f);
    free(f.part);
    free(f.tag_file);
    free(f.headers);
    return status;
}

/* In the child: libcurl's own state, and OpenSSL's, belong to one process. */
static int32_t child_start(void) { return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? PAWL_OK : PAWL_E_FAILED; }

static const pawl_handler handlers[] = {
    {.struct_size = sizeof(pawl_handler), .name = "http.fetch",
     .description = "Downloads a URL into a file, continues where an earlier attempt stopped, and checks the SHA-256.",
     .args_schema = SCHEMA_HEAD
         "\"url\":{\"type\":\"string\",\"pattern\":\"^[hH][tT][tT][pP][sS]?://\"},"
         "\"output\":{" SCHEMA_PATH ",\"description\":\"the file; appears when it is whole\"},"
         "\"sha256\":{\"type\":\"string\",\"pattern\":\"^[0-9a-fA-F]{64}$\",\"description\":\"what it must be\"},"
         "\"headers\":{\"type\":\"array\",\"items\":{\"type\":\"string\",\"pattern\":\"^[^:]+:\"},\"maxItems\":100,"
         "\"description\":\"Name: value\"},"
         "\"max_bytes\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":1125899906842624,\"default\":10737418240},"
         "\"connect_timeout_ms\":{\"type\":\"integer\",\"minimum\":100,\"maximum\":600000,\"default\":10000},"
         "\"idle_timeout_ms\":{\"type\":\"integer\",\"minimum\":1000,\"maximum\":3600000,\"default\":60000,"
         "\"description\":\"without a byte for so long\"},"
         "\"max_redirects\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":50,\"default\":10},"
         "\"overwrite\":{\"type\":\"boolean\",\"default\":true},"
         "\"ca_file\":{" SCHEMA_PATH ",\"description\":\"PEM of authorities to trust instead of the system's\"}"
         "},\"required\":[\"url\",\"output\"],\"additionalProperties\":false}",
     .result_schema = "{\"type\":\"object\",\"properties\":{\"bytes\":{\"type\":\"integer\"},\"sha256\":{\"type\":\"string\"},"
         "\"status\":{\"type\":\"integer\"},\"resumed_bytes\":{\"type\":\"integer\"},\"content_type\":{\"type\":\"string\"},"
         "\"url\":{\"type\":\"string\"},\"output\":{\"type\":\"string\"}}}",
     .run = fetch_url}};

AUTHOR_PLUGIN("http", "1.0.0", handlers, NULL, child_start)
