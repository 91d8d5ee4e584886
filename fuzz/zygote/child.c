/* child.c - the stream that a host sends a child: RUN, ARGS, CANCEL and the rest, in pieces as a socket may give them. */
#include "fuzz.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "../../Sources/PluginABI/Zygote/agenda.c"
#include "../../Sources/PluginABI/Zygote/child.c"
#include "../../Sources/PluginABI/Zygote/frames.c"

static int host = -1;
static const loaded_plugin no_plugin;
static _Atomic uint32_t places[PAWL_BOARD_PLACES];

static void connect_again(void) {
    int ends[2];
    if (host >= 0) close(host);
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0, "a socket");
    host = ends[0];
    if (host <= PAWL_CHILD_FD_CRASH) {
        host = fcntl(host, F_DUPFD_CLOEXEC, 16);
        close(ends[0]);
    }
    if (ends[1] != PAWL_CHILD_FD_DATA) {
        dup2(ends[1], PAWL_CHILD_FD_DATA);
        close(ends[1]);
    }
}

static void hear(attempt *a) {
    static char answers[65536];
    listen_once(a, false);
    while (recv(host, answers, sizeof answers, MSG_DONTWAIT) > 0) {}
    uint32_t handler;
    while (run_is_here(a, &handler)) {
        if (!take(a)) continue;
        /* The worker has it, and is done. */
        must(a->args[a->head.args_length] == 0 && a->job != NULL && a->environment != NULL, "a complete run");
        must(handler == a->head.handler_index, "the run that was announced");
        attempt_forget(a);
        if (a->head.attempt % 4 == 3) agenda_hold();
        atomic_store(&a->phase, ATTEMPT_RESTING);
    }
}

/* Some places offered, some withdrawn, some taken long ago; or no board. */
static void renew_board(uint8_t how) {
    while (count > 0) forget_first();
    holds = false;
    for (size_t i = 0; i < PAWL_BOARD_PLACES; i++) places[i] = how % 5 == 1 ? (uint32_t)(i % 4) : PAWL_PLACE_OFFERED;
    board = how % 5 == 0 ? NULL : places;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    attempt *a = &the_attempt;
    if (length == 0) return 0;
    connect_again();
    incoming_at = incoming_length = 0;
    incoming_descriptor = -1;
    free(tail);
    tail = NULL;
    tail_at = tail_length = 0;
    renew_board(bytes[0]);
    pongs = 0;
    attempt_forget(a);
    atomic_store(&a->phase, ATTEMPT_NONE);
    a->pooled = true;
    a->plugin = &no_plugin;
    frames_init(1);
    /* The first byte says how finely the stream is torn. */
    size_t piece = bytes[0] == 0 ? length : bytes[0] * 37u;
    volatile size_t at = 1;
    if (setjmp(over) != 0) return 0; /* the child would have ended */
    while (at < length) {
        size_t size = length - at < piece ? length - at : piece;
        ssize_t sent = send(host, bytes + at, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent <= 0) break;
        at += (size_t)sent;
        hear(a);
    }
    return 0;
}
