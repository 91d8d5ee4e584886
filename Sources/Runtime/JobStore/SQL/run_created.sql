-- run_created: when a run was requested. $1 run
SELECT created_at FROM pawl.run_all WHERE id = $1
