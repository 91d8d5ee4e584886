/* zygote.c - the zygote's life: HELLO, load, READY, then forks until the host retires it or is gone. */
#include "zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit.h"
#include "cgroup.h"
#include "crash.h"
#include "fault.h"
#include "host_table.h"
#include "resume.h"
#include "serve.h"
#include "sweep.h"
#include "zygote_state.h"

#define MANIFEST_PIECE 60000u
#define PENDING_MAX 1024      /* frames that the host has not taken: no more SPAWN until it reads */
#define END_LIMIT_NS UINT64_C(10000000000) /* for the trees to end when the host is gone */
#define MONITOR_LIMIT_NS UINT64_C(5000000000) /* of that, for monitors: one that stands still is killed then */
#define SWEEP_PAUSE_MS 5
#define ORPHANS_TOLD 16 /* within a second */

zygote z;

static _Noreturn void refuse(uint32_t reason, const char *message) {
    pawl_c_refused refused = {.reason = reason, .message_length = (uint32_t)strlen(message)};
    control_send(&z.host, PAWL_C_REFUSED, 0, &refused, sizeof refused, message, strlen(message), NULL, 0);
    _exit(EXIT_REFUSED);
}

static void note(const char *words, size_t length) {
    /* A plugin that talks without end while it loads must not fill the memory. */
    if (z.host.pending < PENDING_MAX) control_send(&z.host, PAWL_C_NOTE, 0, words, length, NULL, 0, NULL, 0);
}

void zygote_note(const char *words) { note(words, strlen(words)); }

static void note_of_plugin(int32_t level, pawl_str message) {
    (void)level;
    note(message.ptr, message.len);
}

/* ---- before READY ---- */

static void be_born(void) {
    /* Until READY the host's death is ours; then the end of its connection is, so that every tree can be killed
     * first. */
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    prctl(PR_SET_NAME, "pawl-zygote", 0, 0, 0); /* it was started again through /proc/self/exe */
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    syscall(SYS_close_range, PAWL_ZYGOTE_FD_CONTROL + 1, ~0u, 0);
    /* Low numbers are taken, so that received descriptors never stand where a child wants its own. */
    for (int fd; (fd = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0;) {
        if (fd < FIRST_FREE_FD) continue;
        close(fd);
        break;
    }
    sigset_t handled;
    sigemptyset(&handled);
    sigaddset(&handled, SIGCHLD);
    sigaddset(&handled, SIGTERM); /* stopping a whole service must not end the keeper before its trees */
    sigaddset(&handled, SIGINT);
    sigaddset(&handled, SIGHUP);
    sigprocmask(SIG_SETMASK, &handled, NULL);
    signal(SIGPIPE, SIG_IGN);
    z.sigchld = signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
    control_init(&z.host, PAWL_ZYGOTE_FD_CONTROL);
    fcntl(PAWL_ZYGOTE_FD_CONTROL, F_SETFD, FD_CLOEXEC);
}

/* Waits for the first frame, which must be HELLO. */
static void hear_hello(void) {
    control_message m;
    int got;
    while ((got = control_receive(&z.host, &m)) == 0) {
        struct pollfd readable = {.fd = z.host.fd, .events = POLLIN};
        poll(&readable, 1, -1);
    }
    if (got == -1) _exit(EXIT_HOST_GONE);
    if (got != 1 || m.head.kind != PAWL_C_HELLO || m.length < sizeof z.hello)
        refuse(PAWL_REFUSED_PROTOCOL, "the first frame was no HELLO");
    control_close_fds(&m, 0);
    memcpy(&z.hello, m.body, sizeof z.hello);
    if (z.hello.wire_version != PAWL_WIRE_VERSION)
        refuse(PAWL_REFUSED_PROTOCOL, "host and zygote are not of one build (wire version)");
    size_t left = m.length - sizeof z.hello;
    if (z.hello.path_length > left || z.hello.config_length > left - z.hello.path_length)
        refuse(PAWL_REFUSED_PROTOCOL, "HELLO is shorter than its texts");
    z.path = strndup(m.body + sizeof z.hello, z.hello.path_length);
    z.config = malloc((size_t)z.hello.config_length + 1);
    if (z.path == NULL || z.config == NULL) refuse(PAWL_REFUSED_PROTOCOL, "out of memory");
    memcpy(z.config, m.body + sizeof z.hello + z.hello.path_length, z.hello.config_length);
    z.config[z.hello.config_length] = 0;
    fault_at("zygote.hello");
}

static void send_manifest(void) {
    const text *manifest = &z.loaded.manifest;
    for (size_t at = 0; at < manifest->length; at += MANIFEST_PIECE) {
        size_t length = manifest->length - at < MANIFEST_PIECE ? manifest->length - at : MANIFEST_PIECE;
        control_send(&z.host, PAWL_C_MANIFEST, 0, manifest->bytes + at, length, NULL, 0, NULL, 0);
    }
}

/* Audits the process that the plugin has come into, tells of it, and decides how children are made. */
static void be_ready(void) {
    pawl_c_ready ready = {.wire_version = PAWL_WIRE_VERSION, .fork_mode = PAWL_FORK_SPAWN, .threads = thread_count(),
                          .open_fds = audit_open_fds(), .rss_bytes = audit_rss_bytes()};
    bool may_fork = true;
    if (z.has_plugin) {
        const pawl_plugin *p = &z.loaded.plugin;
        ready.load_ns = z.loaded.load_ns;
        ready.plugin_flags = p->flags;
        may_fork = ready.threads <= 1 && (p->flags & PAWL_PF_NO_FORK) == 0;
        if (may_fork) ready.fork_mode = spawn_mode((p->flags & PAWL_PF_NEEDS_ATFORK) != 0);
        char words[160];
        if (ready.threads > 1) {
            snprintf(words, sizeof words,
                     "the plugin has %u threads after loading: forks would lose them, so every attempt loads it afresh",
                     ready.threads);
            zygote_note(words);
        }
        if (ready.open_fds > 0) {
            snprintf(words, sizeof words,
                     "the plugin has opened %u descriptors while loading; they are closed in its attempts",
                     ready.open_fds);
            zygote_note(words);
        }
        send_manifest();
    }
    control_send(&z.host, PAWL_C_READY, 0, &ready, sizeof ready, NULL, 0, NULL, 0);
    /* A plugin that cannot be forked has been looked at now; a fresh process without it serves its attempts. */
    if (!may_fork) resume_in_spawn_mode(&z.host, &z.hello, z.path, z.config);
    prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
    /* The host may have died before; then its connection has ended, which the loop sees. */
    fault_at("zygote.ready");
}

/* ---- attempts ---- */

static void tell_empty(uint32_t slot) {
    pawl_c_empty empty = {.monotonic_ns = monotonic_ns()};
    control_send(&z.host, PAWL_C_EMPTY, slot, &empty, sizeof empty, NULL, 0, NULL, 0);
}

static void kill_tree(zygote_run *run) {
    if (run->cgroup >= 0) cgroup_kill(run->cgroup);
    if (!run->leader.reaped) {
        kill(-run->leader.process.pid, SIGKILL);
        kill(run->leader.process.pid, SIGKILL);
    }
}

/* Reaps the leader of a run and forgets it. What it left behind in its cgroup is killed: nothing survives an
 * attempt. */
static void finish(zygote_run *run) {
    uint32_t slot = run->slot;
    fault_at("zygote.reap");
    keeper_reap(&run->leader);
    if (run->cgroup >= 0) {
        if (cgroup_populated(run->cgroup) == 1) cgroup_kill(run->cgroup);
        close(run->cgroup);
    }
    runs_remove(&z.runs, run);
    fault_at("zygote.reaped");
    tell_empty(slot);
}

/* A monitor that ended as it should says nothing; what another leaves behind has come to this process. */
static void finish_monitor(zygote_run *run) {
    siginfo_t info = {0};
    uint32_t slot = run->slot;
    if (waitid(P_PIDFD, (id_t)run->leader.process.pidfd, &info, WEXITED | WNOHANG | __WALL) != 0) return;
    if (info.si_pid == 0) return;
    close(run->leader.process.pidfd);
    runs_remove(&z.runs, run);
    if (info.si_code == CLD_EXITED && info.si_status == 0) return;
    uint32_t *slots = realloc(z.orphaned, (z.orphaned_count + 1) * sizeof *slots);
    char words[128];
    snprintf(words, sizeof words, "the monitor of slot %u ended by itself (%s %d); its tree is killed", slot,
             info.si_code == CLD_EXITED ? "exit code" : "signal", info.si_status);
    zygote_note(words);
    if (slots == NULL) return;
    z.orphaned = slots;
    z.orphaned[z.orphaned_count++] = slot;
}

static void on_message(control_message *m) {
    pawl_c_signal signal;
    zygote_run *run = runs_find(&z.runs, m->head.slot);
    bool own = run != NULL && !run->is_monitor;
    switch (m->head.kind) {
    case PAWL_C_SPAWN: zygote_spawn(m); return;
    case PAWL_C_RETIRE:
        fault_at("zygote.retire");
        z.retiring = true;
        break;
    case PAWL_C_PING: control_send(&z.host, PAWL_C_PONG, m->head.slot, NULL, 0, NULL, 0, NULL, 0); break;
    case PAWL_C_SIGNAL:
        if (!own || m->length < sizeof signal) break;
        memcpy(&signal, m->body, sizeof signal);
        keeper_signal(&run->leader, signal.signal);
        break;
    case PAWL_C_KILL: if (own) kill_tree(run); break;
    case PAWL_C_REAP: if (own) run->reap_asked = true; break;
    default: zygote_note("the zygote got a control frame of an unknown kind");
    }
    control_close_fds(m, 0);
}

/* ---- the loop ---- */

static void tell_orphan(pid_t pid, int status, void *context) {
    (void)context;
    /* Words for the host's log: of thousands a few will do, and the rest would keep both from their work. */
    uint64_t now = monotonic_ns();
    if (now - z.orphans_since_ns > UINT64_C(1000000000)) {
        z.orphans_since_ns = now;
        z.orphans_told = 0;
    }
    if (z.orphans_told >= ORPHANS_TOLD) return;
    z.orphans_told++;
    pawl_c_orphan orphan = {.pid = (uint32_t)pid, .status = status};
    control_send(&z.host, PAWL_C_ORPHAN, 0, &orphan, sizeof orphan, NULL, 0, NULL, 0);
}

/* False: there are more. */
static bool reap_orphans(void) { return sweep_reap(runs_own, tell_orphan, &z.runs); }

/* After each event. Returns how long to wait for the next one. */
static int step(bool child_signal) {
    for (size_t i = z.runs.count; i-- > 0;) { /* from the end: a removal moves the last one */
        zygote_run *run = &z.runs.items[i];
        bool ended = run->ended || run->leader.exited;
        if (!ended) continue; /* no system call for those that only run */
        if (!run->leader.exited) fault_at("zygote.exited");
        if (run->is_monitor) finish_monitor(run);
        else if (keeper_notice(&z.host, run->slot, &run->leader) && run->reap_asked) finish(run);
    }
    static bool has_more;
    if (child_signal || has_more || z.orphaned_count > 0) has_more = !reap_orphans();
    if (z.orphaned_count == 0) return has_more ? 0 : -1;
    /* Profile none: all children but monitors are leftovers of dead monitors. */
    size_t alive = sweep_descendants(runs_own, &z.runs);
    has_more = !reap_orphans();
    if (has_more) return 0;
    if (alive > 0 || sweep_any_child(runs_own, &z.runs)) return SWEEP_PAUSE_MS;
    for (size_t i = 0; i < z.orphaned_count; i++) tell_empty(z.orphaned[i]);
    z.orphaned_count = 0;
    return -1;
}

/* The host is gone: end every tree, then this process. */
static _Noreturn void end_everything(void) {
    uint64_t start = monotonic_ns();
    fault_at("zygote.eof");
    control_init(&z.host, -1);
    for (;;) {
        uint64_t passed = monotonic_ns() - start;
        bool alive = false;
        for (size_t i = z.runs.count; i-- > 0;) {
            zygote_run *run = &z.runs.items[i];
            if (run->is_monitor) { /* it has heard of the host's death itself, and kills its tree */
                alive = true;
                if (passed > MONITOR_LIMIT_NS) kill(run->leader.process.pid, SIGKILL);
                finish_monitor(run);
                continue;
            }
            kill_tree(run);
            bool leader_ended = keeper_notice(&z.host, run->slot, &run->leader);
            if (leader_ended && (run->cgroup < 0 || cgroup_populated(run->cgroup) != 1)) finish(run);
            else alive = true;
        }
        reap_orphans();
        if (z.hello.profile == PAWL_PROFILE_NONE && sweep_descendants(runs_own, &z.runs) > 0) alive = true;
        if (!alive) _exit(0);
        if (passed > END_LIMIT_NS) _exit(EXIT_HOST_GONE);
        poll(NULL, 0, 1);
    }
}

static void hear_host(void) {
    control_message m;
    while (z.host.pending < PENDING_MAX) {
        int got = control_receive(&z.host, &m);
        if (got == 0) return;
        if (got == -1) end_everything();
        if (got == 1) on_message(&m);
        else if (got == -3 && m.head.kind == PAWL_C_SPAWN) zygote_spawn_without_room(m.head.slot);
        else zygote_note("the zygote got a malformed control frame");
    }
}

static _Noreturn void loop(void) {
    struct pollfd *polled = NULL;
    size_t capacity = 0;
    for (int wait = -1;;) {
        size_t needed = 2 + z.runs.count;
        if (needed > capacity) {
            capacity = needed * 2;
            polled = realloc(polled, capacity * sizeof *polled);
            if (polled == NULL) _exit(EXIT_SETUP);
        }
        polled[0] = (struct pollfd){.fd = z.host.fd, .events = z.host.pending < PENDING_MAX ? POLLIN : 0};
        if (z.host.first != NULL) polled[0].events |= POLLOUT;
        polled[1] = (struct pollfd){.fd = z.sigchld, .events = POLLIN};
        for (size_t i = 0; i < z.runs.count; i++) {
            const leader *l = &z.runs.items[i].leader;
            polled[2 + i] = (struct pollfd){.fd = l->exited ? -1 : l->process.pidfd, .events = POLLIN};
        }
        if (poll(polled, needed, wait) < 0 && errno != EINTR) _exit(EXIT_SETUP);
        struct signalfd_siginfo signals[16];
        if ((polled[1].revents & POLLIN) != 0 && read(z.sigchld, signals, sizeof signals) < 0 && errno != EAGAIN)
            _exit(EXIT_SETUP);
        /* In the order of the table, which only step() and SPAWN change. */
        for (size_t i = 0; i < needed - 2; i++) z.runs.items[i].ended = polled[2 + i].revents != 0;
        if ((polled[0].revents & POLLOUT) != 0) control_flush(&z.host);
        if ((polled[0].revents & (POLLHUP | POLLERR)) != 0 && z.host.pending >= PENDING_MAX) end_everything();
        if ((polled[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) hear_host();
        wait = step((polled[1].revents & POLLIN) != 0);
        if (z.runs.count > 0 || z.orphaned_count > 0) continue;
        if (z.retiring && z.host.first == NULL) _exit(0);
        if (z.demoted && !z.retiring) resume_in_spawn_mode(&z.host, &z.hello, z.path, z.config);
    }
}

_Noreturn void zygote_serve(void) {
    fault_init();
    be_born();
    fault_at("zygote.start");
    hear_hello();
    if (getppid() != (pid_t)z.hello.expected_ppid) _exit(EXIT_HOST_GONE);
    host_table_set_sink(note_of_plugin);
    host_table_set_config(z.config, z.hello.config_length);
    crash_preload();
    audit_remember();
    if ((z.hello.flags & PAWL_HELLO_SPAWN_MODE) == 0) {
        static load_refusal refusal;
        fault_at("zygote.load");
        if (!load_plugin(z.path, z.hello.image_bytes, &z.loaded, &refusal)) refuse(refusal.reason, refusal.message);
        z.has_plugin = true;
        fault_at("zygote.loaded");
    }
    be_ready();
    loop();
}

_Noreturn void zygote_resume(int hello) {
    fault_init();
    be_born();
    resume_take(hello, &z.hello, &z.path, &z.config);
    if (getppid() != (pid_t)z.hello.expected_ppid) _exit(EXIT_HOST_GONE);
    host_table_set_config(z.config, z.hello.config_length);
    crash_preload();
    prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
    loop();
}
