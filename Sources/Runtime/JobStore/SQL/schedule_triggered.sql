-- schedule_triggered: a run was made by hand. $1 schedule, $2 run
UPDATE pawl.schedule SET last_run = $2 WHERE id = $1
