/* child.c - the main thread of a child: reads the run, gives it to the worker, then listens until the end, or for the next
 * run. */
#include "child.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "agenda.h"
#include "attempt.h"
#include "child_setup.h"
#include "crash.h"
#include "exit_note.h"
#include "fault.h"
#include "frames.h"
#include "host_table.h"
#include "main_queue.h"
#include "position.h"
#include "progress.h"
#include "reuse.h"
#include "worker.h"

/* Who reads what the host sends, and holds all that comes of it. The main thread, so that CANCEL is heard while a handler runs.
 * But in a pooled child the worker itself looks for its next run first: short runs that follow each other cost no change of
 * threads. The main thread leaves it the socket for a moment after each begin, and takes over where a run lasts longer, or
 * where none comes; `main_reads` of the attempt calls it at once. */
static pthread_mutex_t reading = PTHREAD_MUTEX_INITIALIZER;
#define HANDS_OFF_MS 10 /* so much later is CANCEL heard */
#define LINGER_MS 20    /* the worker waits so long for its next run */

static uint64_t told_dropped; /* of this run's dropped lines */
static atomic_uint_least64_t begun_at_ns;

static bool is_under_way(const attempt *a) {
    int phase = atomic_load(&a->phase);
    return phase == ATTEMPT_STARTING || phase == ATTEMPT_RUNNING;
}

/* No run goes on: the worker may be given one. */
static bool is_free(const attempt *a) {
    int phase = atomic_load(&a->phase);
    return phase == ATTEMPT_NONE || phase == ATTEMPT_RESTING;
}

/* The host may send a run, and not only one ahead of its time. */
static bool is_awaited(const attempt *a) {
    int phase = atomic_load(&a->phase);
    return phase == ATTEMPT_NONE || (a->pooled && phase >= ATTEMPT_OVER);
}

static void tell_cancelled(attempt *a) {
    uint64_t one = 1;
    if (atomic_exchange(&a->cancelled, 1) != 0) return;
    /* Cannot fail: it is written once. */
    if (a->cancel_fd >= 0 && write(a->cancel_fd, &one, sizeof one) < 0)
        complain("pawl: cannot signal the cancellation");
    worker_tell_cancelled(a);
}

static void on_cancel(attempt *a, uint64_t run_id) {
    if (agenda_cancel(run_id)) return;
    /* Else it was on its way when the run ended. */
    if (run_id == a->run_id && is_under_way(a)) tell_cancelled(a);
}

/* Tells of dropped lines when there is room again, once per number. */
static void tell_dropped(attempt *a) {
    pawl_f_dropped dropped = {.lines = atomic_load(&a->dropped)};
    struct iovec part = {&dropped, sizeof dropped};
    if (dropped.lines > told_dropped && frames_try_send(PAWL_F_DROPPED, 0, &part, 1)) told_dropped = dropped.lines;
}

static unsigned pongs; /* owed */

static void pay_pongs(void) {
    while (pongs > 0 && frames_try_send(PAWL_F_PONG, 0, NULL, 0)) pongs--;
}

static void handle(attempt *a, const pawl_frame *frame, const char *payload) {
    switch (frame->kind) {
    case PAWL_F_RUN: agenda_add(frame, payload, is_awaited(a)); break;
    case PAWL_F_ARGS: agenda_add_args(frame, payload); break;
    case PAWL_F_CANCEL: on_cancel(a, frame->run_id); break;
    case PAWL_F_CREDIT:
        if (frame->length >= sizeof(pawl_f_credit)) {
            pawl_f_credit credit;
            memcpy(&credit, payload, sizeof credit);
            if (agenda_add_credit(frame->run_id, credit.bytes) || frame->run_id != a->run_id) break;
            atomic_fetch_add(&a->credit, credit.bytes);
            tell_dropped(a);
        }
        break;
    case PAWL_F_DEADLINE:
        if (frame->length >= sizeof(pawl_f_deadline)) {
            pawl_f_deadline deadline;
            memcpy(&deadline, payload, sizeof deadline);
            if (!agenda_set_deadline(frame->run_id, deadline.deadline_ns) && frame->run_id == a->run_id)
                atomic_store(&a->deadline_ns, deadline.deadline_ns);
        }
        break;
    case PAWL_F_PING:
        position_tell();
        pongs++;
        pay_pongs();
        break;
    case PAWL_F_BYE: _exit(0);
    default:
        if ((frame->flags & PAWL_FLAG_OPTIONAL) == 0) give_up("pawl: the host sent a frame of an unknown kind");
    }
}

/* Takes in what the host has sent; ends the process where the host is gone. */
static void listen_once(attempt *a, bool wait) {
    if (!frames_fill(wait)) _exit(EXIT_HOST_GONE);
    int board = frames_take_descriptor();
    if (board >= 0) agenda_set_board(board);
    pawl_frame frame;
    const char *payload;
    while (frames_next(&frame, &payload)) handle(a, &frame, payload);
}

static uint32_t named = UINT32_MAX; /* the handler whose name the process has */

/* A run is here that may begin, and none goes on. */
static bool run_is_here(const attempt *a, uint32_t *handler) { return is_free(a) && agenda_is_ready(handler); }

/* Makes it the present run. False: the host has withdrawn it. */
static bool take(attempt *a) {
    bool is_cancelled;
    if (!agenda_take(a, &is_cancelled)) return false;
    told_dropped = 0;
    begun_at_ns = monotonic_ns();
    atomic_store(&a->main_reads, false);
    atomic_store(&a->phase, ATTEMPT_STARTING);
    if (is_cancelled) tell_cancelled(a);
    return true;
}

/* The worker has its next run, or waits for it a moment. Under the lock of the reading. */
static bool look_for_run(attempt *a) {
    uint32_t handler;
    for (bool is_said = false;;) {
        while (run_is_here(a, &handler)) {
            /* Only the main thread can give the process another name. */
            if (handler != named) return false;
            if (take(a)) return true;
        }
        if (!is_said) frames_send_kept(); /* the host waits for it */
        is_said = true;
        struct pollfd readable = {.fd = PAWL_CHILD_FD_DATA, .events = POLLIN};
        int ready = poll(&readable, 1, LINGER_MS);
        if (ready == 0) return false;
        if (ready > 0) listen_once(a, false);
        pay_pongs();
    }
}

/* The worker has said IDLE: is its next run here, or does it come in a moment? Runs on the worker. */
static bool next_run(attempt *a) {
    /* Before the try: where it fails, the main thread is about to leave the socket, and has to come back at once. */
    atomic_store(&a->main_reads, true);
    bool is_here = false;
    if (pthread_mutex_trylock(&reading) == 0) {
        if (atomic_load(&a->phase) == ATTEMPT_RESTING) is_here = look_for_run(a);
        else atomic_store(&a->main_reads, false); /* the main thread has begun it already */
        pthread_mutex_unlock(&reading);
    }
    if (is_here) return true;
    frames_send_kept();
    /* It may have read the next run before this one was over, and sleep. */
    if (atomic_load(&a->phase) == ATTEMPT_RESTING) attempt_wake_main(a);
    return false;
}

/* How long the main thread still leaves the socket to the worker. */
static uint64_t hands_off_ns(const attempt *a) {
    if (!a->pooled || atomic_load(&a->main_reads)) return 0;
    uint64_t until = begun_at_ns + HANDS_OFF_MS * UINT64_C(1000000); /* before the clock: a run may begin meanwhile */
    uint64_t now = monotonic_ns();
    return now < until ? until - now : 0;
}

/* Whether the main thread is to read now; then it holds `reading`. */
static bool takes_over(const attempt *a) {
    if (!a->pooled) return true;
    return hands_off_ns(a) == 0 && pthread_mutex_trylock(&reading) == 0;
}

static void leave(const attempt *a, bool reads) {
    if (a->pooled && reads) pthread_mutex_unlock(&reading);
}

/* Gives the run that is here to the worker. */
static void begin(attempt *a, uint32_t index) {
    if (index >= a->plugin->plugin.handler_count)
        worker_cannot_start("handler_index", "the host asked for a handler that this plugin does not have");
    if (index != named) prctl(PR_SET_NAME, a->plugin->handlers[index].name, 0, 0, 0);
    named = index;
    if (!take(a)) return;
    if (!worker_take(a, next_run))
        worker_cannot_start("thread", "no thread for the handler: out of memory within its limit, or of processes");
}

/* Listens until the process ends, which is the worker's doing, or the host's. */
static _Noreturn void supervise(attempt *a) {
    main_queue queue = main_queue_open(a->plugin);
    for (;;) {
        int64_t due = progress_flush();
        bool reads = takes_over(a);
        if (reads) pay_pongs();
        uint32_t handler;
        if (reads && run_is_here(a, &handler)) { /* the worker has read it */
            begin(a, handler);
            leave(a, reads);
            continue;
        }
        struct pollfd polled[3] = {{.fd = PAWL_CHILD_FD_DATA, .events = reads ? POLLIN : 0},
                                   {.fd = a->wake_fd, .events = POLLIN},
                                   {.fd = queue.port, .events = POLLIN}}; /* a negative descriptor is skipped */
        if (frames_unsent() || (reads && pongs > 0)) polled[0].events |= POLLOUT;
        if (polled[0].events == 0) polled[0].fd = -1; /* its end would be told without end */
        int timeout = due < 0 ? -1 : (int)((due + 999999) / 1000000);
        if (!reads) {
            uint64_t left = hands_off_ns(a);
            int until = left == 0 ? HANDS_OFF_MS : (int)((left + 999999) / 1000000);
            if (timeout < 0 || timeout > until) timeout = until;
        }
        int look = is_under_way(a) ? reuse_reap_orphans() : -1;
        if (look >= 0 && (timeout < 0 || look < timeout)) timeout = look;
        if (poll(polled, 3, timeout) < 0) {
            leave(a, reads);
            continue;
        }
        if ((polled[1].revents & POLLIN) != 0) {
            uint64_t rings;
            if (read(a->wake_fd, &rings, sizeof rings) < 0) complain("pawl: the wake descriptor is broken");
        }
        if ((polled[0].revents & POLLOUT) != 0) frames_flush();
        /* POLLNVAL: the plugin has closed the descriptor; reading says so, and ends the process. */
        if (reads && (polled[0].revents & (POLLIN | POLLHUP | POLLERR | POLLNVAL)) != 0) {
            listen_once(a, false);
            if (run_is_here(a, &handler)) begin(a, handler);
        }
        leave(a, reads);
        if ((polled[2].revents & POLLIN) != 0) {
            uint64_t rings; /* an eventfd, which nobody else reads: unread it would ring for ever */
            if (read(queue.port, &rings, sizeof rings) < 0 && errno != EAGAIN)
                complain("pawl: the main queue's port is broken");
            queue.pump();
        }
    }
}

static void log_without_attempt(int32_t level, pawl_str message) {
    attempt_log(&the_attempt, NULL, level, message, PAWL_NO_STR);
}

/* Spawn mode: the plugin comes into the process only now. */
static const loaded_plugin *load_here(const child_image *image) {
    static loaded_plugin loaded;
    static load_refusal refusal;
    crash_preload();
    if (!load_plugin(image->path, image->bytes, &loaded, &refusal)) worker_cannot_start("load", refusal.message);
    return &loaded;
}

_Noreturn void child_main(const spawn_request *request, const child_image *image, pid_t keeper) {
    attempt *a = &the_attempt;
    child_setup(request, keeper);
    frames_init(request->limits.run_id);
    crash_install();
    exit_note_install();
    crash_thread_stack();
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    fault_at("child.start");

    a->run_id = request->limits.run_id;
    a->pooled = (request->limits.flags & PAWL_SPAWN_POOLED) != 0;
    a->trial = (request->limits.flags & PAWL_SPAWN_TRIAL) != 0;
    a->stack_bytes = request->limits.stack_bytes;
    a->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    a->wake_fd = fault_error("child.eventfd") != 0 ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    progress_init(a->wake_fd);
    host_table_set_sink(log_without_attempt);
    a->plugin = image->plugin != NULL ? image->plugin : load_here(image);
    position_open(a->plugin);
    if (a->pooled) reuse_prepare();
    if (a->trial) { /* the worker says UP */
        if (!worker_take(a, next_run)) worker_cannot_start("thread", "no thread for the handler");
        supervise(a);
    }
    frames_send(PAWL_F_UP, 0, NULL, 0);
    fault_at("child.up");

    uint32_t handler;
    while (!run_is_here(a, &handler)) listen_once(a, true); /* a spare child waits here */
    fault_at("child.run");
    begin(a, handler);
    supervise(a);
}
