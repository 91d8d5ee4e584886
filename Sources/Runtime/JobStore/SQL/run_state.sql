-- run_state: where a run is. $1 run
SELECT state FROM pawl.run_all WHERE id = $1
