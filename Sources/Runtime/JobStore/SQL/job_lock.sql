-- job_lock: a job's settings, held until the end of the transaction. $1 name
SELECT revision, limits, execution FROM pawl.job WHERE name = $1 FOR UPDATE
