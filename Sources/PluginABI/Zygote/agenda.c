/* agenda.c - a ring of runs, and the board on which host and child agree whose a run is. */
#include "agenda.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "frames.h"
#include "progress.h"

typedef struct waiting_run {
    uint64_t run_id;
    pawl_f_run head;
    char *job, *traceparent, *scratch, *run_name, *environment, *args;
    size_t args_received;
    int64_t credit; /* beyond what every run begins with */
    bool is_ahead, is_cancelled;
} waiting_run;

static waiting_run runs[PAWL_AHEAD_MAX + 1];
static size_t first, count;
static bool holds; /* nothing that was sent ahead begins */
static _Atomic uint32_t *board;

_Static_assert(PAWL_BOARD_PLACES * sizeof *board <= PAWL_BOARD_BYTES, "the board has room for its places");

void agenda_set_board(int fd) {
    void *page = board != NULL ? MAP_FAILED : mmap(NULL, PAWL_BOARD_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (page == MAP_FAILED) give_up("pawl: the board of runs cannot be mapped");
    /* What the handler forks has nothing to say about runs. */
    madvise(page, PAWL_BOARD_BYTES, MADV_DONTFORK);
    board = page;
}

bool agenda_has_board(void) { return board != NULL; }

static waiting_run *at(size_t index) { return &runs[(first + index) % (PAWL_AHEAD_MAX + 1)]; }

static void forget_first(void) {
    waiting_run *run = at(0);
    char *texts[] = {run->job, run->traceparent, run->scratch, run->run_name, run->environment, run->args};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) free(texts[i]);
    first = (first + 1) % (PAWL_AHEAD_MAX + 1);
    count--;
}

static char *cut_text(const char **from, size_t *left, uint32_t length) {
    if (length > *left) give_up("pawl: the host sent a RUN frame that is too short");
    char *copy = malloc((size_t)length + 1);
    if (copy == NULL) give_up("pawl: out of memory for the run");
    memcpy(copy, *from, length);
    copy[length] = 0;
    *from += length;
    *left -= length;
    return copy;
}

void agenda_add(const pawl_frame *frame, const char *payload, bool is_awaited) {
    bool is_ahead = (frame->flags & PAWL_FLAG_AHEAD) != 0;
    bool is_last_whole = count == 0 || at(count - 1)->args_received == at(count - 1)->head.args_length;
    if ((is_ahead ? board == NULL : !is_awaited) || !is_last_whole || count > PAWL_AHEAD_MAX
        || frame->length < sizeof(pawl_f_run))
        give_up("pawl: the host sent a malformed RUN frame");
    waiting_run *run = at(count);
    *run = (waiting_run){.run_id = frame->run_id, .is_ahead = is_ahead};
    memcpy(&run->head, payload, sizeof run->head);
    if (run->head.place >= PAWL_BOARD_PLACES || (run->head.place == 0) != (board == NULL))
        give_up("pawl: the host sent a run without a place");
    const char *from = payload + sizeof run->head;
    size_t left = frame->length - sizeof run->head;
    run->job = cut_text(&from, &left, run->head.job_length);
    run->traceparent = cut_text(&from, &left, run->head.traceparent_length);
    run->scratch = cut_text(&from, &left, run->head.scratch_length);
    run->run_name = cut_text(&from, &left, run->head.run_name_length);
    run->environment = cut_text(&from, &left, run->head.environment_length);
    run->args = run->head.args_length > PAWL_RESULT_MAX ? NULL : malloc((size_t)run->head.args_length + 1);
    if (run->args == NULL) give_up("pawl: no memory for the args");
    run->args[run->head.args_length] = 0;
    count++;
}

void agenda_add_args(const pawl_frame *frame, const char *payload) {
    waiting_run *run = count == 0 ? NULL : at(count - 1);
    if (run == NULL || frame->length > run->head.args_length - run->args_received)
        give_up("pawl: the host sent more args than announced");
    memcpy(run->args + run->args_received, payload, frame->length);
    run->args_received += frame->length;
}

static waiting_run *find(uint64_t run_id) {
    for (size_t i = 0; i < count; i++) if (at(i)->run_id == run_id) return at(i);
    return NULL;
}

bool agenda_cancel(uint64_t run_id) {
    waiting_run *run = find(run_id);
    if (run != NULL) run->is_cancelled = true;
    return run != NULL;
}

bool agenda_add_credit(uint64_t run_id, uint32_t bytes) {
    waiting_run *run = find(run_id);
    if (run != NULL) run->credit += bytes;
    return run != NULL;
}

bool agenda_set_deadline(uint64_t run_id, int64_t deadline_ns) {
    waiting_run *run = find(run_id);
    if (run != NULL) run->head.deadline_ns = deadline_ns;
    return run != NULL;
}

bool agenda_is_ready(uint32_t *handler_index) {
    while (count > 0) {
        const waiting_run *run = at(0);
        if (run->args_received < run->head.args_length) return false;
        if (run->head.place == 0 || atomic_load(&board[run->head.place]) != PAWL_PLACE_WITHDRAWN) {
            *handler_index = run->head.handler_index;
            return !(holds && run->is_ahead);
        }
        forget_first();
    }
    return false;
}

bool agenda_take(attempt *a, bool *is_cancelled) {
    waiting_run *run = at(0);
    uint32_t offered = PAWL_PLACE_OFFERED;
    if (run->head.place != 0
        && !atomic_compare_exchange_strong(&board[run->head.place], &offered, PAWL_PLACE_TAKEN)) {
        if (offered != PAWL_PLACE_WITHDRAWN) give_up("pawl: the board of runs is broken");
        forget_first();
        return false;
    }
    attempt_renew(a, run->run_id);
    frames_set_run(run->run_id);
    progress_renew();
    a->head = run->head;
    a->job = run->job;
    a->traceparent = run->traceparent;
    a->scratch = run->scratch;
    a->run_name = run->run_name;
    a->environment = run->environment;
    a->args = run->args;
    atomic_store(&a->deadline_ns, run->head.deadline_ns);
    atomic_fetch_add(&a->credit, run->credit);
    *is_cancelled = run->is_cancelled;
    holds = false;
    first = (first + 1) % (PAWL_AHEAD_MAX + 1);
    count--;
    return true;
}

void agenda_hold(void) { holds = true; }
