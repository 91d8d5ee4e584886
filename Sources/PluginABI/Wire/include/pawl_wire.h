/*
 * pawl_wire.h - what host, zygote, monitor and child say to each other. Private: host and zygote of one build only.
 *
 * Two kinds of connection:
 *
 *  control   host <-> zygote (one per plugin version), and host <-> monitor (one per attempt, profile "none" only).
 *            SEQPACKET socket pair: one frame per datagram of at most PAWL_CONTROL_MAX bytes; descriptors travel with
 *            their frame (SCM_RIGHTS). A frame is pawl_control followed by the kind's body.
 *  data      host <-> child. STREAM socket pair: pawl_frame (24 bytes) followed by `length` bytes.
 *
 * Little-endian, packed by hand (no padding: static assertions below). Times: monotonic = CLOCK_MONOTONIC ns, unix =
 * CLOCK_REALTIME us since 1970.
 *
 * Who keeps an attempt's processes (the "keeper"): with cgroups (profile "cgroup") the zygote, a subreaper, and the tree
 * is the cgroup leaf, watched and killed by the host. Without (profile "none") a monitor process per attempt, itself a
 * subreaper, forked by the zygote; the tree is what descends from it. Both speak the same frames; the monitor on a
 * control socket of its own that the host makes and passes in SPAWN.
 *
 * The life of an attempt, seen from here:
 *   host: makes data pair, pipes, cgroup; writes RUN (+ ARGS) into the data socket; SPAWN -> zygote
 *   keeper: SPAWNED (+ pidfd) | SPAWN_FAILED         child: UP, STARTED (the commit point), LOG, PROGRESS, EMIT, then
 *   one of RESULT, FAILURE, SNOOZE (fragments: PAWL_FLAG_MORE), then the child ends
 *   keeper: EXITED (leader kept as a zombie)  host: SIGNAL or KILL as needed, REAP  keeper: EMPTY when its tree is empty
 *
 * A child may be made before there is a RUN for it; it says UP and waits. With PAWL_SPAWN_POOLED it does not end after its
 * run: it puts itself back into order, says IDLE with what it found, and waits for the next RUN, until BYE. The frames of
 * both sides carry the id of the present run, and go on being counted. RUN is sent only to a child that has said UP, or
 * IDLE after its last run, or was spawned for it; what else is on its way is of the run before, and comes before RUN.
 *
 * A pooled child may be given runs ahead of their time (PAWL_FLAG_AHEAD). For that it gets, as a descriptor beside the first
 * bytes of its data socket, a board: a page of memory that both share, with a word for each of PAWL_BOARD_PLACES - 1 places.
 * Each RUN names its place, whose word the host has set to OFFERED. The child takes the run (OFFERED -> TAKEN) before it
 * begins it; the host may withdraw it (OFFERED -> WITHDRAWN), then it has not begun and will not. An IDLE with
 * PAWL_IDLE_CLEAN goes on with the next that was not withdrawn, which the host does not have to ask for; without it the child
 * takes nothing that was sent ahead, and the host withdraws all of that before its next RUN.
 */
#ifndef PAWL_WIRE_H
#define PAWL_WIRE_H

#include <stdint.h>

#define PAWL_WIRE_VERSION 4u
#define PAWL_CONTROL_MAX 65536u        /* bytes of a control datagram */
#define PAWL_FRAME_MAX (1u << 20)      /* bytes of a data frame's payload; larger things go in fragments */
#define PAWL_RESULT_MAX (64u << 20)    /* bytes of a result, all fragments together */
#define PAWL_CREDIT_DEFAULT (256u << 10) /* LOG and EMIT bytes in flight before the host gives more */

/* Descriptors that a zygote is born with. */
#define PAWL_ZYGOTE_FD_CONTROL 3
/* Descriptors that a child has: 0 = /dev/null, 1 and 2 = pipes to the host, these, 5 and 6, eventfds of its own (of the
 * cancellation, and of progress to send), and one that serves several attempts also 7 to 9, of its own /proc. 3 and up are
 * close-on-exec. */
#define PAWL_CHILD_FD_DATA 3
#define PAWL_CHILD_FD_CRASH 4

/* ---- control -------------------------------------------------------------------------------------------------- */

enum pawl_control_kind {
    /* host -> zygote */
    PAWL_C_HELLO = 1,    /* pawl_c_hello + image path + plugin configuration text */
    PAWL_C_SPAWN = 2,    /* pawl_c_spawn + texts; descriptors: data, stdout, stderr, crash, [cgroup dir], [monitor control] */
    PAWL_C_RETIRE = 3,   /* no body: no more SPAWN; exit when childless */
    PAWL_C_PING = 4,     /* no body */
    /* host -> keeper */
    PAWL_C_SIGNAL = 10,  /* pawl_c_signal: to the attempt's process group (the leader is still held) */
    PAWL_C_KILL = 11,    /* no body: kill the whole tree (monitor: stop-and-kill sweep; zygote: cgroup.kill + leader) */
    PAWL_C_REAP = 12,    /* no body: the host is done with the leader; reap it */
    /* host -> monitor */
    PAWL_C_FREEZE = 13,  /* no body: stop the whole tree, but for what is stopped already */
    PAWL_C_THAW = 14,    /* no body: have it go on */
    /* zygote -> host */
    PAWL_C_READY = 20,   /* pawl_c_ready; after all MANIFEST frames */
    PAWL_C_REFUSED = 21, /* pawl_c_refused + message: this plugin cannot be served; the zygote exits */
    PAWL_C_MANIFEST = 22, /* a piece of the manifest's JSON text; in order, complete before READY */
    PAWL_C_PONG = 23,
    PAWL_C_NOTE = 24,    /* text: something for the host's log (what the plugin said with a NULL attempt, misbehaviour) */
    /* keeper -> host */
    PAWL_C_SPAWNED = 30, /* pawl_c_spawned; descriptors: pidfd of the child [, pidfd of the monitor] */
    PAWL_C_SPAWN_FAILED = 31, /* pawl_c_spawn_failed */
    PAWL_C_EXITED = 32,  /* pawl_c_exited: the leader ended; its zombie is held until REAP */
    PAWL_C_EMPTY = 33,   /* pawl_c_empty: no process of the tree is left (zygote: leader reaped; the cgroup tells the rest) */
    PAWL_C_ORPHAN = 34   /* pawl_c_orphan: an escapee was reparented to the keeper and reaped */
};

/* Head of each control frame. slot: the host's number of the attempt's place; 0 where none is meant. */
typedef struct pawl_control {
    uint16_t kind; /* pawl_control_kind */
    uint16_t flags;
    uint32_t slot;
} pawl_control;

typedef struct pawl_c_hello {
    uint32_t wire_version;
    uint32_t expected_ppid;   /* the host's pid: the zygote exits if its parent is another */
    uint64_t image_bytes;     /* size of the image, as the store recorded it */
    uint32_t path_length;     /* of the image's path; not terminated */
    uint32_t config_length;   /* of the text handed to the plugin through extension pawl.config/1; 0: none */
    uint32_t profile;         /* PAWL_PROFILE_* */
    uint32_t flags;           /* PAWL_HELLO_* */
} pawl_c_hello;

#define PAWL_PROFILE_NONE 0u
#define PAWL_PROFILE_CGROUP 1u
#define PAWL_HELLO_SPAWN_MODE 1u /* do not load here: every child loads the plugin afresh (PAWL_PF_NO_FORK) */

typedef struct pawl_c_spawn {
    uint64_t run_id;
    uint32_t attempt;
    uint32_t flags;           /* PAWL_SPAWN_* */
    uint64_t cpu_ms;          /* limits; 0: none */
    uint64_t memory_bytes;    /* RLIMIT_AS */
    uint64_t file_bytes;      /* RLIMIT_FSIZE */
    uint32_t open_files;      /* RLIMIT_NOFILE */
    uint32_t processes;       /* RLIMIT_NPROC, only where the child is not root */
    uint64_t stack_bytes;     /* of the worker thread; 0: 8 MiB */
    int32_t nice;             /* added to the host's own niceness */
    uint32_t environment_length; /* NAME=VALUE entries, each ended by a zero byte; the child's whole environment */
    uint32_t directory_length;   /* working directory and scratch directory of the attempt; not terminated */
    uint32_t sandbox_length;     /* of the text after it that says what the child is kept from; 0: nothing more */
} pawl_c_spawn;

#define PAWL_SPAWN_HAS_CGROUP 1u  /* a cgroup descriptor is the fifth */
#define PAWL_SPAWN_HAS_MONITOR 2u /* a monitor's control socket is the last */
#define PAWL_SPAWN_POOLED 4u      /* the child serves one RUN after the other, until BYE */
#define PAWL_SPAWN_TRIAL 8u       /* no RUN will come: child_start at once, and UP only when it has returned; then BYE */

typedef struct pawl_c_signal {
    int32_t signal;
    uint32_t reserved;
} pawl_c_signal;

typedef struct pawl_c_ready {
    uint32_t wire_version;
    uint32_t fork_mode;       /* PAWL_FORK_* */
    uint32_t threads;         /* after loading; more than 1 makes fork_mode SPAWN */
    uint32_t open_fds;        /* beyond the expected ones */
    uint64_t rss_bytes;       /* of the zygote after loading */
    uint64_t load_ns;         /* dlopen + entry + init + prefork */
    uint64_t plugin_flags;
} pawl_c_ready;

#define PAWL_FORK_CLONE3 1u
#define PAWL_FORK_GLIBC 2u
#define PAWL_FORK_SPAWN 3u

typedef struct pawl_c_refused {
    uint32_t reason;          /* pawl_refusal */
    uint32_t message_length;
} pawl_c_refused;

enum pawl_refusal {
    PAWL_REFUSED_OPEN = 1,      /* the image cannot be opened or changed its size */
    PAWL_REFUSED_ELF = 2,       /* no ELF shared object, truncated, or for another machine */
    PAWL_REFUSED_DLOPEN = 3,    /* the loader's words */
    PAWL_REFUSED_ENTRY = 4,     /* no pawl_plugin_entry, or it returned NULL */
    PAWL_REFUSED_ABI = 5,       /* another major */
    PAWL_REFUSED_DESCRIPTOR = 6, /* a member of the descriptor is out of its range */
    PAWL_REFUSED_INIT = 7,      /* init or prefork failed */
    PAWL_REFUSED_PROTOCOL = 8   /* host and zygote are not of one build */
};

typedef struct pawl_c_spawned {
    uint32_t pid;             /* for people and /proc look-ups; signals go through pidfd, keeper or cgroup */
    uint32_t monitor_pid;     /* 0 with cgroups */
    uint64_t monotonic_ns;    /* right after the fork */
} pawl_c_spawned;

typedef struct pawl_c_spawn_failed {
    int32_t error;            /* errno */
    uint32_t stage;           /* 1 fork, 2 descriptors, 3 monitor, 4 refused (retired or not forkable), 5 spawn-mode load */
} pawl_c_spawn_failed;

typedef struct pawl_c_exited {
    uint32_t pid;
    int32_t code;             /* CLD_EXITED, CLD_KILLED, CLD_DUMPED */
    int32_t status;           /* exit code or signal */
    uint32_t reserved;
    uint64_t user_us;         /* of the leader and its waited-for descendants */
    uint64_t system_us;
    uint64_t max_rss_bytes;
    uint64_t minor_faults;
    uint64_t major_faults;
    uint64_t blocks_in;
    uint64_t blocks_out;
    uint64_t voluntary_switches;
    uint64_t involuntary_switches;
    uint64_t monotonic_ns;    /* when the keeper saw it */
} pawl_c_exited;

typedef struct pawl_c_empty {
    uint32_t killed;          /* processes that the keeper's sweep killed */
    uint32_t survivors;       /* 0, or how many could not be killed within the sweep's limit */
    uint64_t monotonic_ns;
    uint64_t user_us;         /* of a monitor: of everything that it has waited for, and of what that has waited for */
    uint64_t system_us;
    uint64_t max_rss_bytes;   /* of one process */
    uint64_t minor_faults;
    uint64_t major_faults;
    uint64_t blocks_in;
    uint64_t blocks_out;
    uint64_t voluntary_switches;
    uint64_t involuntary_switches;
} pawl_c_empty;

typedef struct pawl_c_orphan {
    uint32_t pid;
    int32_t status;           /* as waitpid gives it */
} pawl_c_orphan;

/* ---- data ----------------------------------------------------------------------------------------------------- */

typedef struct pawl_frame {
    uint32_t length;          /* of the payload that follows; at most PAWL_FRAME_MAX */
    uint16_t kind;            /* pawl_frame_kind */
    uint16_t flags;           /* PAWL_FLAG_* */
    uint64_t run_id;
    uint32_t sequence;        /* counts the sender's frames from 0 */
    uint32_t reserved;
} pawl_frame;

#define PAWL_FLAG_MORE 1u     /* the thing goes on in the next frame of this kind */
#define PAWL_FLAG_OPTIONAL 2u /* a reader that does not know the kind skips it; otherwise it is a protocol error */
#define PAWL_FLAG_AHEAD 4u    /* of RUN: the child has not said IDLE yet after the run before */

enum pawl_frame_kind {
    /* host -> child */
    PAWL_F_RUN = 1,       /* pawl_f_run + texts */
    PAWL_F_ARGS = 2,      /* a piece of the args */
    PAWL_F_CANCEL = 3,    /* pawl_f_cancel */
    PAWL_F_CREDIT = 4,    /* pawl_f_credit */
    PAWL_F_DEADLINE = 5,  /* pawl_f_deadline: it moved */
    PAWL_F_PING = 6,
    PAWL_F_BYE = 7,       /* no payload, to a child without a run: it ends, with 0 */
    /* child -> host */
    PAWL_F_UP = 20,       /* no payload: the supervision thread listens */
    PAWL_F_STARTED = 21,  /* pawl_f_started: the handler is about to be called */
    PAWL_F_LOG = 22,      /* pawl_f_log + texts */
    PAWL_F_PROGRESS = 23, /* pawl_f_progress + texts: the whole picture, counters included */
    PAWL_F_RESULT = 24,   /* first frame: pawl_f_result + media type, then bytes; more frames: bytes */
    PAWL_F_FAILURE = 25,  /* pawl_f_failure + texts */
    PAWL_F_SNOOZE = 26,   /* pawl_f_snooze */
    PAWL_F_PONG = 27,
    PAWL_F_DROPPED = 28,  /* pawl_f_dropped: log lines the child dropped for lack of credit, so far */
    PAWL_F_IDLE = 29,     /* pawl_f_idle: the run is over, and the child could take another */
    PAWL_F_POSITION = 30, /* pawl_f_position + file, optional: before a PONG, where the plugin tells it */
    PAWL_F_FOLLOW_UP = 31 /* pawl_f_follow_up + texts: a run that is wanted if this attempt succeeds */
};

typedef struct pawl_f_run {
    uint32_t attempt;
    uint32_t handler_index;      /* in the manifest's order */
    int64_t deadline_ns;         /* monotonic; INT64_MAX: none */
    uint64_t args_length;        /* of all ARGS frames that follow together */
    uint32_t job_length;         /* of the job's name */
    uint32_t traceparent_length;
    uint32_t scratch_length;     /* of the scratch directory's path */
    uint32_t run_name_length;    /* of "run_..." */
    uint32_t environment_length; /* NAME=VALUE entries, each ended by a zero byte, over those of SPAWN; 0: as it is */
    uint32_t place;              /* on the board; 0: none, nobody withdraws it */
    uint64_t cpu_ms;             /* processor time for this run, where SPAWN gave no limit; 0: none */
} pawl_f_run;

/* The board's words, each a uint32_t of its own: atomic on both sides. */
#define PAWL_BOARD_BYTES 4096u
#define PAWL_BOARD_PLACES 64u
#define PAWL_PLACE_OFFERED 1u
#define PAWL_PLACE_TAKEN 2u
#define PAWL_PLACE_WITHDRAWN 3u
#define PAWL_AHEAD_MAX 32u       /* runs that a child may have been sent and not begun, the withdrawn included */

typedef struct pawl_f_cancel {
    uint32_t reason;             /* 1 asked for, 2 timeout, 3 shutdown */
    uint32_t grace_ms;
} pawl_f_cancel;

typedef struct pawl_f_credit {
    uint32_t bytes;              /* may be sent more */
    uint32_t reserved;
} pawl_f_credit;

typedef struct pawl_f_deadline {
    int64_t deadline_ns;
} pawl_f_deadline;

typedef struct pawl_f_started {
    uint64_t monotonic_ns;
    uint64_t unix_us;
} pawl_f_started;

typedef struct pawl_f_log {
    uint64_t unix_us;
    uint8_t level;               /* PAWL_LOG_* */
    uint8_t flags;               /* 1: the message was cut; 2: the fields are no JSON object */
    uint16_t stage_length;
    uint32_t message_length;
    uint32_t fields_length;
    uint32_t reserved;
} pawl_f_log;

typedef struct pawl_f_progress {
    uint64_t current;
    uint64_t total;              /* UINT64_MAX: unknown */
    uint64_t unix_us;
    uint16_t stage_length;
    uint16_t unit_length;
    uint32_t message_length;
    uint32_t counter_count;      /* then per counter: int64_t value, uint16_t length, kind (unpadded) */
    uint32_t reserved;
} pawl_f_progress;

typedef struct pawl_f_position {
    uint32_t line;               /* of the handler's last call into its SDK */
    uint32_t file_length;
} pawl_f_position;

typedef struct pawl_f_follow_up {
    int64_t delay_ms;            /* from the run's end; 0: at once */
    int32_t priority;
    uint32_t flags;              /* PAWL_FOLLOW_UP_* */
    uint32_t attempts;           /* 0: as the job has it */
    uint32_t job_length;
    uint32_t args_length;        /* a JSON object */
    uint32_t queue_length;       /* 0: as the job has it */
    uint32_t title_length;
    uint32_t labels_length;      /* a JSON object of strings; 0: none */
} pawl_f_follow_up;

#define PAWL_FOLLOW_UP_HAS_PRIORITY 1u
#define PAWL_WIRE_FOLLOW_UPS_MAX 100u              /* as in pawl.h */
#define PAWL_WIRE_FOLLOW_UP_BYTES_MAX (512u << 10) /* likewise, without the head */

typedef struct pawl_f_result {
    uint32_t status;             /* 0 */
    uint32_t is_json;            /* 1: the bytes are valid JSON; 0: bytes of the media type */
    uint64_t total_length;       /* of the result, all fragments */
    uint32_t media_type_length;
    uint32_t has_result;         /* 0: the handler returned PAWL_OK and gave none */
} pawl_f_result;

typedef struct pawl_f_failure {
    int32_t status;              /* what the handler returned, PAWL_E_* */
    int32_t retry;               /* PAWL_RETRY_* */
    int64_t not_before_unix_ms;  /* 0: by policy */
    uint32_t code_length;
    uint32_t message_length;
    uint32_t details_length;
    uint32_t reserved;
} pawl_f_failure;

typedef struct pawl_f_snooze {
    int64_t until_unix_ms;
} pawl_f_snooze;

/* What a pooled child found after a run. Counts are compared with those before it, without what language runtimes keep
 * open for good (their event descriptors, their pool's threads). */
typedef struct pawl_f_idle {
    uint32_t flags;              /* PAWL_IDLE_* */
    int32_t reset_status;        /* of the handler's reset(); 0: done, or there is none */
    uint32_t processes;          /* descendants that have not ended */
    uint32_t descriptors;        /* more than before */
    uint32_t threads;            /* more than before */
    uint32_t reserved;
    uint64_t rss_bytes;          /* now; 0: not known */
    uint64_t user_us;            /* of the child and its waited-for descendants, since it began, as in pawl_c_exited */
    uint64_t system_us;
    uint64_t max_rss_bytes;      /* of this run, where the machine can tell */
    uint64_t minor_faults;
    uint64_t major_faults;
    uint64_t blocks_in;
    uint64_t blocks_out;
    uint64_t voluntary_switches;
    uint64_t involuntary_switches;
} pawl_f_idle;

/* What was changed by the run and has been put back. */
#define PAWL_IDLE_CWD 1u
#define PAWL_IDLE_UMASK 2u
#define PAWL_IDLE_ENVIRONMENT 4u
#define PAWL_IDLE_SIGNALS 8u     /* mask, dispositions, or an alarm */
#define PAWL_IDLE_LOCALE 16u
/* The child cannot be used again, whatever else is there: it could not put something back. */
#define PAWL_IDLE_UNFIT 32u
/* With a board only: nothing is left of the run, its directory is empty and all its output read. It goes on by itself. */
#define PAWL_IDLE_CLEAN 64u

typedef struct pawl_f_dropped {
    uint64_t lines;
} pawl_f_dropped;

/* ---- crash pipe ----------------------------------------------------------------------------------------------- */

#define PAWL_CRASH_MAGIC 0x6873617263777050ull
#define PAWL_CRASH_VERSION 2u
#define PAWL_CRASH_FRAMES 64
#define PAWL_CRASH_REGISTERS 34
#define PAWL_CRASH_MAPS_MAX (48u << 10) /* bytes of mappings; a pipe holds 64 KiB */

/* One record, written by the signal handler in one write (atomic: below PIPE_BUF). Behind it come the lines of
 * /proc/self/maps for code that was mapped from files, each after a line "build-id HEX" where the file has one, whole lines, as many as the pipe takes without waiting. */
typedef struct pawl_crash {
    uint64_t magic;
    uint32_t version;            /* PAWL_CRASH_VERSION */
    int32_t signal;              /* 0: no crash, a call of exit() */
    int32_t code;                /* si_code */
    int32_t thread;              /* tid */
    uint64_t address;            /* si_addr; of SIGSYS by the sandbox the number of the system call */
    uint64_t pc;
    uint64_t sp;
    uint64_t address_space_bytes; /* VmSize at the crash, 0 if not read: near RLIMIT_AS means out of memory */
    char thread_name[16];
    uint32_t frame_count;
    uint32_t overflow;           /* 1: deeper than PAWL_CRASH_FRAMES; 2: unwinding itself faulted */
    uint64_t frames[PAWL_CRASH_FRAMES];
    uint32_t register_count;     /* 0 where the machine is not known */
    int32_t error;               /* errno of the thread: ENOMEM tells of an allocator that was refused */
    uint64_t registers[PAWL_CRASH_REGISTERS]; /* x86-64: rax rbx rcx rdx rsi rdi rbp rsp r8 to r15 rip eflags;
                                                 aarch64: x0 to x30 sp pc pstate */
} pawl_crash;

#define PAWL_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type " has padding")
#ifndef __cplusplus
PAWL_SIZE(pawl_control, 8);
PAWL_SIZE(pawl_c_hello, 32);
PAWL_SIZE(pawl_c_spawn, 72);
PAWL_SIZE(pawl_c_ready, 40);
PAWL_SIZE(pawl_c_spawned, 16);
PAWL_SIZE(pawl_c_exited, 96);
PAWL_SIZE(pawl_c_empty, 88);
PAWL_SIZE(pawl_frame, 24);
PAWL_SIZE(pawl_f_run, 56);
PAWL_SIZE(pawl_f_log, 24);
PAWL_SIZE(pawl_f_progress, 40);
PAWL_SIZE(pawl_f_position, 8);
PAWL_SIZE(pawl_f_follow_up, 40);
PAWL_SIZE(pawl_f_result, 24);
PAWL_SIZE(pawl_f_failure, 32);
PAWL_SIZE(pawl_f_idle, 104);
PAWL_SIZE(pawl_crash, 872);
#endif
#undef PAWL_SIZE

#endif /* PAWL_WIRE_H */
