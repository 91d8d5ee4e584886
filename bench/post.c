/* post.c - a client that costs next to nothing: the same POST again and again over connections that stay open.
 *
 *   post ADDRESS PORT TOKEN PATH BODY-FILE CONNECTIONS REQUESTS [key|pause]
 *
 * REQUESTS in all, shared by the connections, each of which is a process. With `key` every request has an Idempotency-Key of
 * its own. Prints one line of JSON: seconds, requests per second, p50 and p99 of the time from the first byte written to the
 * last byte read. With `pause`, for one connection, there are 15 ms before each request, and the line is a list of when each was
 * written, in microseconds of Unix time, and the place that its answer names. Any answer but 2xx ends it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char *what, const char *more) {
    fprintf(stderr, "post: %s %s\n", what, more);
    exit(1);
}

static void write_all(int fd, struct iovec *parts, int count) {
    while (count > 0) {
        ssize_t done = writev(fd, parts, count);
        if (done <= 0) fail("cannot write", "");
        while (count > 0 && (size_t)done >= parts->iov_len) {
            done -= (ssize_t)parts->iov_len;
            parts++;
            count--;
        }
        if (count > 0) {
            parts->iov_base = (char *)parts->iov_base + done;
            parts->iov_len -= (size_t)done;
        }
    }
}

static char head[16384]; /* of the last answer */

/* Reads one answer; its body is dropped. */
static void answer(int fd) {
    static char rest[1 << 18];
    size_t have = 0;
    char *end = NULL;
    while (!end) {
        ssize_t count = read(fd, head + have, sizeof head - 1 - have);
        if (count <= 0) fail("the connection ended", "");
        have += (size_t)count;
        head[have] = 0;
        end = strstr(head, "\r\n\r\n");
        if (!end && have == sizeof head - 1) fail("a head without end", "");
    }
    if (strncmp(head, "HTTP/1.1 2", 10) != 0) fail("was answered", head);
    char *length = strcasestr(head, "content-length:");
    if (!length) fail("an answer without length", head);
    long left = atol(length + 15) - (long)(have - (size_t)(end + 4 - head));
    while (left > 0) {
        ssize_t count = read(fd, rest, (size_t)left < sizeof rest ? (size_t)left : sizeof rest);
        if (count <= 0) fail("the connection ended in a body", "");
        left -= count;
    }
}

/* What one request after the other finds: when it was written, and where its run is. */
static void pausing(int fd, struct iovec *request, int requests) {
    char last = '[';
    for (int i = 0; i < requests; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 15000000}, NULL);
        struct iovec parts[2] = {request[0], request[1]};
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        write_all(fd, parts, 2);
        answer(fd);
        char *place = strcasestr(head, "\r\nlocation:");
        if (!place) fail("an answer without a place", head);
        place += strspn(place + 11, " ") + 11;
        printf("%c[%lld, \"%.*s\"]", last, (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000, (int)strcspn(place, "\r"), place);
        last = ',';
    }
    printf("]\n");
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    if (argc < 8) fail("ADDRESS PORT TOKEN PATH BODY-FILE CONNECTIONS REQUESTS", "[key|pause]");
    FILE *file = fopen(argv[5], "rb");
    if (!file) fail("cannot read", argv[5]);
    fseek(file, 0, SEEK_END);
    size_t size = (size_t)ftell(file);
    rewind(file);
    char *body = malloc(size);
    if (!body || fread(body, 1, size, file) != size) fail("cannot read", argv[5]);
    fclose(file);
    int connections = atoi(argv[6]), each = atoi(argv[7]) / connections, keyed = argc > 8 && strcmp(argv[8], "key") == 0;
    double *times = mmap(NULL, sizeof(double) * (size_t)(connections * each), PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    double began = now();
    bool pauses = argc > 8 && strcmp(argv[8], "pause") == 0;
    for (int c = 0; c < connections; c++) {
        if (!pauses && fork() != 0) continue;
        int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[2]))};
        inet_pton(AF_INET, argv[1], &to.sin_addr);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) fail("cannot connect", argv[1]);
        for (int i = 0; i < each; i++) {
            char words[1024], key[128] = "";
            if (keyed) snprintf(key, sizeof key, "Idempotency-Key: \"%d-%d-%d-%.0f\"\r\n", getpid(), c, i, began * 1e6);
            int length = snprintf(words, sizeof words, "POST %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n"
                                  "Content-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n", argv[4], argv[3], key, size);
            if (pauses) {
                pausing(fd, (struct iovec[]){{words, (size_t)length}, {body, size}}, each);
                return 0;
            }
            double start = now();
            write_all(fd, (struct iovec[]){{words, (size_t)length}, {body, size}}, 2);
            answer(fd);
            times[c * each + i] = now() - start;
        }
        _exit(0);
    }
    for (int c = 0, status; c < connections; c++) {
        if (wait(&status) < 0 || status != 0) fail("a connection failed", "");
    }
    double seconds = now() - began;
    int count = connections * each;
    qsort(times, (size_t)count, sizeof *times, by_value);
    printf("{\"requests\": %d, \"seconds\": %.4f, \"per_second\": %.1f, \"p50_us\": %.0f, \"p99_us\": %.0f}\n", count, seconds,
           count / seconds, times[count / 2] * 1e6, times[count * 99 / 100] * 1e6);
    return 0;
}
