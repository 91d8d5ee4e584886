-- job_end_waiting: ends runs of a job that wait, some at a time. $1 job, $2 reason, $3 limit
SELECT count(*) FILTER (WHERE pawl.cancel_waiting(w.id, $2)) AS ended, count(*) AS looked FROM (
    (SELECT id FROM pawl.run_live WHERE state = 'queued' AND job = $1 LIMIT $3)
    UNION ALL
    (SELECT id FROM pawl.run_waiting WHERE job = $1 LIMIT $3)) w
