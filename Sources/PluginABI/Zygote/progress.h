/* progress.h - the one picture of progress per attempt: cheap to change, sent seldom. */
#ifndef PAWL_PROGRESS_H
#define PAWL_PROGRESS_H

#include "zygote.h"

#define PROGRESS_STAGE_MAX 256
#define PROGRESS_INTERVAL_NS UINT64_C(100000000) /* between two frames, unless the stage changed */

/* Changes; any thread. They wake the supervising thread through `wake_fd` when there is something new to send. */
void progress_init(int wake_fd);
/* Before another run: as at the beginning, and nothing to send. */
void progress_renew(void);
int32_t progress_set(uint64_t current, uint64_t total, pawl_str message);
int32_t progress_set_stage(pawl_str stage);
int32_t progress_set_total(uint64_t total, pawl_str unit);
int32_t progress_advance(uint64_t n);
int32_t progress_set_message(pawl_str message);
int32_t progress_count(pawl_str kind, int64_t n);

/* Copies the stage's name into `stage` (PROGRESS_STAGE_MAX bytes) and returns its length. */
size_t progress_stage(char *stage);

/* Supervising thread: sends the picture if it is due and the socket takes it. Returns ns until the next one is due,
 * or -1 where there is nothing to send. */
int64_t progress_flush(void);
/* Worker, at the end: sends the picture if it changed since the last frame; waits for the socket. */
void progress_flush_last(void);

#endif
