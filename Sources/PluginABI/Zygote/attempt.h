/* attempt.h - the one attempt of a child, as its threads share it. */
#ifndef PAWL_ATTEMPT_H
#define PAWL_ATTEMPT_H

#include <pthread.h>
#include <stdatomic.h>

#include "load.h"
#include "zygote.h"

/* How far the attempt is. Host functions work while it is RUNNING only; a pooled child that has put itself back into order, and
 * may begin the next run, is RESTING. */
enum attempt_phase { ATTEMPT_NONE, ATTEMPT_STARTING, ATTEMPT_RUNNING, ATTEMPT_OVER, ATTEMPT_RESTING };

#define ATTEMPT_HANDLES 256

enum ending_kind { ENDING_NONE, ENDING_JSON, ENDING_BYTES, ENDING_FAILURE, ENDING_SNOOZE };

/* What the handler said about its end; sent after run() returned. Under attempt.lock. */
typedef struct attempt_ending {
    enum ending_kind kind;
    char *bytes;          /* of the result */
    size_t length;
    text media_type;
    int32_t retry;
    int64_t not_before_unix_ms;
    int64_t snooze_until_unix_ms;
    text code, message, details;
} attempt_ending;

typedef struct attempt {
    /* What the plugin sees: each run's own for ATTEMPT_HANDLES runs, so that a late call of an earlier one finds nothing. */
    pawl_attempt handles[ATTEMPT_HANDLES];
    pawl_attempt *_Atomic handle; /* of the present run */
    atomic_int phase;
    bool pooled;         /* serves one run after the other */
    bool trial;          /* shows that a child of this plugin comes up; no run follows */
    const loaded_plugin *plugin;
    uint64_t run_id;
    pawl_f_run head;
    char *job, *traceparent, *scratch, *run_name, *environment; /* terminated */
    char *args;          /* terminated */
    _Atomic int64_t deadline_ns;
    atomic_int cancelled;
    int cancel_fd;       /* eventfd, readable once cancelled; -1: none */
    int wake_fd;         /* eventfd: rings for the main thread */
    atomic_bool main_reads; /* in a pooled child: the main thread is wanted at the socket now */
    pid_t worker_tid;
    uint64_t stack_bytes;
    pthread_mutex_t lock;
    attempt_ending ending;
    text args_fault;     /* what the last getter of pawl.args/1, or the last follow-up, was refused for; under lock */
    bool args_missing;   /* it was not refused: the args have no such member */
    uint32_t follow_ups; /* asked for so far; under lock */
    size_t follow_up_bytes;
    /* Log lines: bytes that may still be sent, and lines that were not. */
    _Atomic int64_t credit;
    _Atomic uint64_t dropped;
} attempt;

extern attempt the_attempt;

/* Worker, after a run: gives back what the attempt held. */
void attempt_forget(attempt *a);
/* Whoever has read its RUN, before a run: a handle of its own, and nothing of the run before. */
void attempt_renew(attempt *a, uint64_t run_id);

/* Any thread: rings for the main thread. */
void attempt_wake_main(attempt *a);

/* Any thread: what to say for a handler that gives up over its args, or over a follow-up, without words of its own. */
void attempt_args_fault(attempt *a, const char *line, bool is_missing);
/* Any thread: the handler went on behind a member that was not there. */
void attempt_args_found(attempt *a);

/* The attempt behind a handle while its handler runs, else NULL. */
attempt *attempt_running(const pawl_attempt *handle);

/* Sends a log line, or drops and counts it for lack of credit: PAWL_OK or PAWL_E_LIMIT. PAWL_E_STATE where the run of the
 * handle is over; without a handle (NULL), where any is. */
int32_t attempt_log(attempt *a, const pawl_attempt *handle, int32_t level, pawl_str message, pawl_str fields_json);

#endif
