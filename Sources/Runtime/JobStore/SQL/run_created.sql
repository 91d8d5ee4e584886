-- run_created: when a run was requested, and when it ended. $1 run
SELECT created_at, finished_at FROM pawl.run_all WHERE id = $1
