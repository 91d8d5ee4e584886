/* mischief.h - the handlers of bad manners, by kind. */
#ifndef MISCHIEF_H
#define MISCHIEF_H

#include <pawl.h>

/* [any] The getters of the args; set at the entry. */
extern const pawl_ext_args *args;

int32_t mischief_noop(void *user, pawl_attempt *attempt, pawl_bytes json);
int32_t mischief_sleep(void *user, pawl_attempt *attempt, pawl_bytes json);
int32_t mischief_progress(void *user, pawl_attempt *attempt, pawl_bytes json);
int32_t mischief_log(void *user, pawl_attempt *attempt, pawl_bytes json);
int32_t mischief_echo(void *user, pawl_attempt *attempt, pawl_bytes json);
int32_t mischief_latency(void *user, pawl_attempt *attempt, pawl_bytes json);
int32_t mischief_fail(void *user, pawl_attempt *attempt, pawl_bytes json);
int32_t mischief_snooze(void *user, pawl_attempt *attempt, pawl_bytes json);
int32_t mischief_result(void *user, pawl_attempt *attempt, pawl_bytes json);
int32_t mischief_bytes(void *user, pawl_attempt *attempt, pawl_bytes json);
int32_t mischief_facts(void *user, pawl_attempt *attempt, pawl_bytes json);

int32_t mischief_segv(void *user, pawl_attempt *attempt, pawl_bytes json);
int32_t mischief_abort(void *user, pawl_attempt *attempt, pawl_bytes json);
int32_t mischief_overflow(void *user, pawl_attempt *attempt, pawl_bytes json);
int32_t mischief_jump(void *user, pawl_attempt *attempt, pawl_bytes json);
int32_t mischief_thread_segv(void *user, pawl_attempt *attempt, pawl_bytes json);
int32_t mischief_exit(void *user, pawl_attempt *attempt, pawl_bytes json);
int32_t mischief_hog(void *user, pawl_attempt *attempt, pawl_bytes json);
int32_t mischief_flood(void *user, pawl_attempt *attempt, pawl_bytes json);
int32_t mischief_print(void *user, pawl_attempt *attempt, pawl_bytes json);
int32_t mischief_late(void *user, pawl_attempt *attempt, pawl_bytes json);

int32_t mischief_spin(void *user, pawl_attempt *attempt, pawl_bytes json);
int32_t mischief_deaf(void *user, pawl_attempt *attempt, pawl_bytes json);
int32_t mischief_escape(void *user, pawl_attempt *attempt, pawl_bytes json);
int32_t mischief_leave(void *user, pawl_attempt *attempt, pawl_bytes json);
int32_t mischief_exec(void *user, pawl_attempt *attempt, pawl_bytes json);

int32_t mischief_crash_after_result(void *user, pawl_attempt *attempt, pawl_bytes json);

int32_t mischief_signal(void *user, pawl_attempt *attempt, pawl_bytes json);
int32_t mischief_handler_overflow(void *user, pawl_attempt *attempt, pawl_bytes json);

int32_t mischief_double_free(void *user, pawl_attempt *attempt, pawl_bytes json);
int32_t mischief_smash(void *user, pawl_attempt *attempt, pawl_bytes json);

int32_t mischief_roll(void *user, pawl_attempt *attempt, pawl_bytes json);
int32_t mischief_bomb(void *user, pawl_attempt *attempt, pawl_bytes json);
int32_t mischief_hold(void *user, pawl_attempt *attempt, pawl_bytes json);

int32_t mischief_garbage(void *user, pawl_attempt *attempt, pawl_bytes json);
int32_t mischief_narrow(void *user, pawl_attempt *attempt, pawl_bytes json);
int32_t mischief_binary(void *user, pawl_attempt *attempt, pawl_bytes json);

int32_t mischief_open(void *user, pawl_attempt *attempt, pawl_bytes json);
int32_t mischief_write(void *user, pawl_attempt *attempt, pawl_bytes json);
int32_t mischief_burn(void *user, pawl_attempt *attempt, pawl_bytes json);
int32_t mischief_threads(void *user, pawl_attempt *attempt, pawl_bytes json);

int32_t mischief_stop(void *user, pawl_attempt *attempt, pawl_bytes json);
int32_t mischief_read(void *user, pawl_attempt *attempt, pawl_bytes json);
int32_t mischief_deadlock(void *user, pawl_attempt *attempt, pawl_bytes json);
int32_t mischief_move(void *user, pawl_attempt *attempt, pawl_bytes json);

#endif
