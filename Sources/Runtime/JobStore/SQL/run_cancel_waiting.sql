-- run_cancel_waiting: ends a run that waits. $1 run, $2 reason
SELECT pawl.cancel_waiting($1, $2)
