/* monitor.c - keeps one tree: whatever descends from the leader comes to this process when it is orphaned. */
#include "monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child_setup.h"
#include "control.h"
#include "fault.h"
#include "keeper.h"
#include "marker.h"
#include "sweep.h"

#define SWEEP_LIMIT_NS UINT64_C(5000000000) /* after that EMPTY tells how many survive */
#define SWEEP_PAUSE_MIN_MS 1
#define SWEEP_PAUSE_MAX_MS 50
#define ORPHANS_TOLD 16 /* of one tree */
#define FREEZE_PAUSE_MAX_MS 200 /* between two looks for what was not stopped */

typedef struct monitor {
    control host;
    uint32_t slot;
    leader leader;
    int sigchld;
    bool host_gone, reap_asked, told_empty;
    bool sweeping, freezing;
    uint64_t sweep_deadline_ns;
    int sweep_pause_ms, freeze_pause_ms;
    uint32_t killed; /* by the sweep, the leader not counted */
    uint32_t orphans; /* that came here and were reaped */
} monitor;

static bool is_leader(pid_t child, void *context) {
    const monitor *m = context;
    return !m->leader.reaped && child == m->leader.process.pid;
}

static void start_sweep(monitor *m) {
    if (m->sweeping) return;
    m->sweeping = true;
    m->sweep_deadline_ns = monotonic_ns() + SWEEP_LIMIT_NS;
    m->sweep_pause_ms = SWEEP_PAUSE_MIN_MS;
}

static void count_orphan(pid_t pid, int status, void *context) {
    monitor *m = context;
    if (m->sweeping && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) m->killed++;
    /* Words for the host's log: of thousands a few will do. */
    if (m->host_gone || ++m->orphans > ORPHANS_TOLD) return;
    pawl_c_orphan orphan = {.pid = (uint32_t)pid, .status = status};
    control_send(&m->host, PAWL_C_ORPHAN, m->slot, &orphan, sizeof orphan, NULL, 0, NULL, 0);
}

/* False: there are more. */
static bool reap_orphans(monitor *m) { return sweep_reap(is_leader, count_orphan, m); }

static uint64_t microseconds(const struct timeval *t) { return (uint64_t)t->tv_sec * 1000000u + (uint64_t)t->tv_usec; }

static void tell_empty(monitor *m, uint32_t survivors) {
    struct rusage used;
    memset(&used, 0, sizeof used);
    getrusage(RUSAGE_CHILDREN, &used); /* the leader and the orphans, with all that they have waited for */
    pawl_c_empty empty = {
        .killed = m->killed, .survivors = survivors, .monotonic_ns = monotonic_ns(),
        .user_us = microseconds(&used.ru_utime), .system_us = microseconds(&used.ru_stime),
        .max_rss_bytes = (uint64_t)used.ru_maxrss * 1024, .minor_faults = (uint64_t)used.ru_minflt,
        .major_faults = (uint64_t)used.ru_majflt, .blocks_in = (uint64_t)used.ru_inblock,
        .blocks_out = (uint64_t)used.ru_oublock, .voluntary_switches = (uint64_t)used.ru_nvcsw,
        .involuntary_switches = (uint64_t)used.ru_nivcsw};
    if (m->told_empty || m->host_gone) return;
    fault_at("monitor.empty");
    m->told_empty = true;
    control_send(&m->host, PAWL_C_EMPTY, m->slot, &empty, sizeof empty, NULL, 0, NULL, 0);
}

static void on_message(monitor *m, control_message *message) {
    pawl_c_signal signal;
    switch (message->head.kind) {
    case PAWL_C_SIGNAL:
        if (message->length < sizeof signal) break;
        memcpy(&signal, message->body, sizeof signal);
        keeper_signal(&m->leader, signal.signal);
        break;
    case PAWL_C_KILL: start_sweep(m); break;
    case PAWL_C_FREEZE:
        m->freezing = true;
        m->freeze_pause_ms = SWEEP_PAUSE_MIN_MS;
        break;
    case PAWL_C_THAW:
        m->freezing = false;
        sweep_thaw();
        break;
    case PAWL_C_REAP: m->reap_asked = true; break;
    case PAWL_C_PING: control_send(&m->host, PAWL_C_PONG, m->slot, NULL, 0, NULL, 0, NULL, 0); break;
    default: break; /* the host of this very build sends nothing else */
    }
    control_close_fds(message, 0);
}

static void hear_host(monitor *m) {
    control_message message;
    for (;;) {
        int got = control_receive(&m->host, &message);
        if (got == 0) return;
        if (got == -1) {
            fault_at("monitor.eof");
            m->host_gone = true;
            close(m->host.fd);
            m->host.fd = -1;
            start_sweep(m);
            return;
        }
        if (got == 1) on_message(m, &message);
    }
}

/* Ends this process if nothing is left to keep. */
static void end_if_empty(monitor *m) {
    if (m->reap_asked) keeper_reap(&m->leader);
    if (!m->leader.reaped || sweep_any_child(is_leader, m)) return;
    tell_empty(m, 0);
    /* What the socket did not take would be lost with this process. */
    while (!m->host_gone && m->host.first != NULL) {
        struct pollfd writable = {.fd = m->host.fd, .events = POLLOUT};
        if (poll(&writable, 1, -1) > 0 && (writable.revents & (POLLERR | POLLHUP)) != 0) break;
        control_flush(&m->host);
    }
    _exit(0);
}

/* Keeps the tree stopped. Returns the time to wait for the next look. */
static int stay_frozen(monitor *m) {
    int pause = m->freeze_pause_ms;
    if (!sweep_freeze()) pause = SWEEP_PAUSE_MIN_MS;
    m->freeze_pause_ms = pause * 2 < FREEZE_PAUSE_MAX_MS ? pause * 2 : FREEZE_PAUSE_MAX_MS;
    return pause;
}

/* One step after each event: notice, reap, sweep, tell. Returns the time to wait for the next event. */
static int step(monitor *m) {
    control nobody;
    control_init(&nobody, -1);
    control *host = m->host_gone ? &nobody : &m->host; /* frames to nobody are dropped */
    if (m->host_gone) m->reap_asked = true;
    keeper_notice(host, m->slot, &m->leader);
    bool has_more = !reap_orphans(m);
    end_if_empty(m); /* mostly: then no look into /proc is needed */
    if (!m->sweeping) {
        int pause = m->freezing ? stay_frozen(m) : -1;
        return has_more ? 0 : pause;
    }
    fault_at("monitor.sweep");
    size_t alive = sweep_descendants(NULL, NULL);
    keeper_notice(host, m->slot, &m->leader);
    has_more = !reap_orphans(m);
    end_if_empty(m);
    if (alive > 0 && monotonic_ns() > m->sweep_deadline_ns) tell_empty(m, (uint32_t)alive); /* and go on */
    int pause = m->sweep_pause_ms;
    m->sweep_pause_ms = pause * 2 < SWEEP_PAUSE_MAX_MS ? pause * 2 : SWEEP_PAUSE_MAX_MS;
    if (has_more) return 0;
    return alive > 0 ? pause : -1;
}

static int watch_children(void) {
    sigset_t handled;
    sigemptyset(&handled);
    sigaddset(&handled, SIGCHLD);
    sigaddset(&handled, SIGTERM); /* stopping a whole service must not end the keeper before its tree */
    sigaddset(&handled, SIGINT);
    sigaddset(&handled, SIGHUP);
    sigprocmask(SIG_SETMASK, &handled, NULL);
    return signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void close_attempt(const spawn_request *r) {
    close(r->data);
    close(r->out);
    close(r->err);
    close(r->crash);
}

_Noreturn void monitor_main(const spawn_request *request, const child_image *image, bool atfork) {
    static monitor m;
    m = (monitor){.slot = request->slot};
    control_init(&m.host, request->monitor);
    signals_to_default();
    setsid();
    prctl(PR_SET_NAME, "pawl-monitor", 0, 0, 0);
    marker_write(request->environment, request->limits.environment_length);
    /* The zygote's connection must end with the zygote. Nothing of it is needed here. */
    close(PAWL_ZYGOTE_FD_CONTROL);
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    m.sigchld = watch_children();
    fault_at("monitor.start");

    pid_t self = getpid();
    int status = spawn_fork(-1, atfork, &m.leader.process);
    if (status == 1) {
        close(request->monitor);
        child_main(request, image, self);
    }
    fault_at("monitor.forked");
    close_attempt(request);
    if (status < 0 || m.sigchld < 0) {
        pawl_c_spawn_failed failed = {.error = status < 0 ? -status : errno, .stage = 3};
        control_send(&m.host, PAWL_C_SPAWN_FAILED, m.slot, &failed, sizeof failed, NULL, 0, NULL, 0);
        if (status == 0) kill(m.leader.process.pid, SIGKILL);
        _exit(EXIT_SETUP);
    }
    int own_pidfd = (int)syscall(SYS_pidfd_open, self, 0);
    keeper_announce(&m.host, m.slot, &m.leader.process, self, own_pidfd);
    if (own_pidfd >= 0) close(own_pidfd);
    fault_at("monitor.spawned");

    for (int wait = -1;;) {
        struct pollfd polled[3] = {{.fd = m.host.fd, .events = POLLIN},
                                   {.fd = m.sigchld, .events = POLLIN},
                                   {.fd = m.leader.exited ? -1 : m.leader.process.pidfd, .events = POLLIN}};
        if (m.host.first != NULL) polled[0].events |= POLLOUT;
        if (poll(polled, 3, wait) < 0 && errno != EINTR) _exit(EXIT_SETUP);
        struct signalfd_siginfo signals[8];
        if ((polled[1].revents & POLLIN) != 0 && read(m.sigchld, signals, sizeof signals) < 0 && errno != EAGAIN)
            _exit(EXIT_SETUP);
        if (polled[2].revents != 0) fault_at("monitor.exited");
        if (!m.host_gone && (polled[0].revents & POLLOUT) != 0) control_flush(&m.host);
        if (!m.host_gone && (polled[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) hear_host(&m);
        wait = step(&m);
    }
}
