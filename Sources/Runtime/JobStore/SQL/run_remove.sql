-- run_remove: deletes a finished run. $1 run
WITH gone AS (DELETE FROM pawl.run WHERE id = $1 RETURNING id)
DELETE FROM pawl.attempt a USING gone WHERE a.run_id = gone.id
