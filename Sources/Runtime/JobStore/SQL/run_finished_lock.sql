-- run_finished_lock: holds a finished run, so that it is not removed meanwhile. $1 run
SELECT id FROM pawl.run WHERE id = $1 FOR UPDATE
