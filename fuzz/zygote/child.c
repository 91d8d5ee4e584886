/* child.c - the stream that a host sends a child: RUN, ARGS, CANCEL and the rest, in pieces as a socket may give them. */
#include "fuzz.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "../../Sources/PluginABI/Zygote/child.c"
#include "../../Sources/PluginABI/Zygote/frames.c"

static int host = -1;
static const loaded_plugin no_plugin;

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
    if (!run_is_complete(a)) return;
    /* The worker has it, and is done. */
    begun = true;
    must(a->args[a->head.args_length] == 0 && a->job != NULL && a->environment != NULL, "a complete run");
    attempt_forget(a);
    atomic_store(&a->phase, ATTEMPT_OVER);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    attempt *a = &the_attempt;
    if (length == 0) return 0;
    connect_again();
    incoming_at = incoming_length = 0;
    free(tail);
    tail = NULL;
    tail_at = tail_length = 0;
    begun = false;
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
