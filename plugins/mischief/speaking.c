/* speaking.c - handlers that speak to the host past the header: on the socket that is Pawl's own. Descriptor 3 is the
 * connection, a frame's head is what Sources/PluginABI/Wire says; written down here once more on purpose. */
#include "mischief.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DATA = 3, LOG = 22, PROGRESS = 23, RESULT = 24, UNKNOWN = 999, OPTIONAL = 2 };

typedef struct head {
    uint32_t length;
    uint16_t kind, flags;
    uint64_t run;
    uint32_t sequence, reserved;
} head;

static void put(const void *bytes, size_t length) {
    const char *at = bytes;
    while (length > 0) {
        ssize_t sent = send(DATA, at, length, MSG_NOSIGNAL);
        if (sent <= 0) return;
        at += sent;
        length -= (size_t)sent;
    }
}

static void frame(uint32_t length, int kind, int flags, uint64_t run) {
    /* UP and STARTED were the first two. */
    head h = {.length = length, .kind = (uint16_t)kind, .flags = (uint16_t)flags, .run = run, .sequence = 2};
    put(&h, sizeof h);
}

/* "run_" and 13 digits of Crockford's base32. */
static uint64_t number_of(pawl_str name) {
    static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
    uint64_t number = 0;
    for (size_t i = 4; i < name.len; i++) {
        const char *found = strchr(digits, name.ptr[i]);
        if (found != NULL) number = number << 5 | (uint64_t)(found - digits);
    }
    return number;
}

int32_t mischief_garbage(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    pawl_str kind = PAWL_STR("noise");
    int64_t length = 0;
    int32_t status = args->get_str(attempt, "kind", &kind);
    if (status == PAWL_E_INVALID_INPUT) return status;
    status = args->get_int(attempt, "length", 0, 1 << 20, &length);
    if (status == PAWL_E_INVALID_INPUT) return status;
    char text[4096];
    for (size_t i = 0; i < sizeof text; i++) text[i] = (char)(i * 2654435761u >> 13);
    uint64_t run = number_of(attempt->host->run_id(attempt));
    if (strcmp(kind.ptr, "noise") == 0) put(text, sizeof text);
    else if (strcmp(kind.ptr, "unknown") == 0) frame(0, UNKNOWN, 0, run);
    else if (strcmp(kind.ptr, "optional") == 0) { frame(0, UNKNOWN, OPTIONAL, run); _exit(9); }
    else if (strcmp(kind.ptr, "oversize") == 0) frame(0xfffffff0u, LOG, 0, run);
    else if (strcmp(kind.ptr, "wrong_run") == 0) frame(0, LOG, 0, UINT64_MAX);
    else if (strcmp(kind.ptr, "short_log") == 0) { frame(3, LOG, 0, run); put(text, 3); }
    else if (strcmp(kind.ptr, "short_progress") == 0) { frame(5, PROGRESS, 0, run); put(text, 5); }
    else if (strcmp(kind.ptr, "result_of_noise") == 0) { frame(4000, RESULT, 0, run); put(text, 4000); }
    else if (strcmp(kind.ptr, "torn") == 0) {
        head h = {.length = 100, .kind = LOG, .run = run, .sequence = 2};
        char whole[sizeof h + 100];
        memcpy(whole, &h, sizeof h);
        memcpy(whole + sizeof h, text, 100);
        put(whole, (size_t)length % sizeof whole);
        _exit(9);
    } else if (strcmp(kind.ptr, "crash") == 0) {
        put(text, sizeof text);
        abort();
    } else if (strcmp(kind.ptr, "close") == 0) close(DATA);
    else if (strcmp(kind.ptr, "shutdown") == 0) shutdown(DATA, SHUT_WR);
    else return PAWL_E_UNSUPPORTED;
    /* The host decides what becomes of it; where it has nothing against it, the run goes well. */
    usleep(300000);
    return PAWL_OK;
}

int32_t mischief_narrow(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)json;
    int64_t bytes = 1000000, lines = 500;
    int32_t status = args->get_int(attempt, "bytes", 0, 1 << 24, &bytes);
    if (status == PAWL_E_INVALID_INPUT) return status;
    int room = 4096;
    setsockopt(DATA, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    setsockopt(DATA, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    for (int64_t i = 0; i < lines; i++) attempt->host->log(attempt, PAWL_LOG_INFO, PAWL_STR("through a narrow door"), PAWL_NO_STR);
    char *out = malloc((size_t)bytes + 2);
    if (out == NULL) return PAWL_E_LIMIT;
    memset(out, 'n', (size_t)bytes + 2);
    out[0] = out[bytes + 1] = '"';
    status = attempt->host->result_json(attempt, (pawl_str){out, (size_t)bytes + 2});
    free(out);
    return status;
}

/* Lines that are no text: every byte, a character in halves, a line without an end. */
int32_t mischief_binary(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user, (void)attempt, (void)json;
    char all[256];
    for (int i = 0; i < 256; i++) all[i] = (char)i;
    if (write(STDOUT_FILENO, all, sizeof all) != sizeof all) return PAWL_E_FAILED;
    if (write(STDOUT_FILENO, "\nhalf: \xC3", 8) != 8) return PAWL_E_FAILED;
    usleep(20000);
    if (write(STDOUT_FILENO, "\xA9 whole\n", 8) != 8) return PAWL_E_FAILED;
    if (write(STDERR_FILENO, "no end", 6) != 6) return PAWL_E_FAILED;
    return PAWL_OK;
}
