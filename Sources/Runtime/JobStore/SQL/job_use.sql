-- job_use: a job, held until the end of the transaction, and what hangs on it. $1 name
SELECT j.revision, j.name <> j.handler AS is_defined,
    EXISTS (SELECT FROM pawl.plugin p WHERE p.name = j.plugin AND p.active IS NOT NULL AND NOT p.disabled) AS is_served,
    (SELECT count(*) FROM pawl.run_live r WHERE r.job = $1 AND r.state = 'running') AS running,
    (SELECT count(*) FROM pawl.run_live r WHERE r.job = $1 AND r.state = 'queued')
        + (SELECT count(*) FROM pawl.run_waiting r WHERE r.job = $1) AS waiting,
    (SELECT count(*) FROM pawl.schedule s WHERE s.job = $1) AS schedules
FROM pawl.job j WHERE j.name = $1 FOR UPDATE
