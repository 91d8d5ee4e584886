-- crash_drop: forgets a crash that waited and whose attempt is gone. $1 run, $2 attempt
DELETE FROM pawl.crash_pending WHERE run_id = $1 AND attempt = $2
