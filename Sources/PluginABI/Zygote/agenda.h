/* agenda.h - the runs that the host has sent and that have not begun: one, or in a pooled child several, of which the host may
 * withdraw those that it sent ahead of their time.
 *
 * All calls by whoever reads the data socket; in a pooled child under the lock of the reading. */
#ifndef PAWL_AGENDA_H
#define PAWL_AGENDA_H

#include "attempt.h"

/* The page that host and child share; closes the descriptor. Ends the process where it cannot be mapped. */
void agenda_set_board(int fd);
bool agenda_has_board(void);

/* RUN and ARGS. What the host may not send ends the process. `is_awaited`: no run goes on. */
void agenda_add(const pawl_frame *frame, const char *payload, bool is_awaited);
void agenda_add_args(const pawl_frame *frame, const char *payload);
/* For a run that has not begun; false: it is not here. */
bool agenda_cancel(uint64_t run_id);
bool agenda_add_credit(uint64_t run_id, uint32_t bytes);
bool agenda_set_deadline(uint64_t run_id, int64_t deadline_ns);

/* Whether a run is wholly here that may begin; its handler. What was withdrawn before it is forgotten. */
bool agenda_is_ready(uint32_t *handler_index);
/* Takes it, and makes it the attempt's present one. False: the host has withdrawn it meanwhile. Only when it is ready.
 * `is_cancelled`: nobody has told the attempt yet. */
bool agenda_take(attempt *a, bool *is_cancelled);

/* Something is left of the run that has ended: nothing that was sent ahead begins. */
void agenda_hold(void);

#endif
