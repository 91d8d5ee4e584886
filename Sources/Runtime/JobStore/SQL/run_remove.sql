-- run_remove: deletes a finished run. $1 run
WITH gone AS (
    DELETE FROM pawl.run WHERE id = $1 RETURNING id
), reports AS (
    DELETE FROM pawl.crash_report r USING gone WHERE r.run_id = gone.id
), pending AS (
    DELETE FROM pawl.crash_pending p USING gone WHERE p.run_id = gone.id
)
DELETE FROM pawl.attempt a USING gone WHERE a.run_id = gone.id
