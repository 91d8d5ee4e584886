-- run_next_due: when the next waiting run is due.
SELECT run_at FROM pawl.run_waiting WHERE state <> 'blocked' ORDER BY run_at, id LIMIT 1
