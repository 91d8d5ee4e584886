-- contract_runs: runs that wait, with their args, in the order of their numbers. $1 jobs, $2 after this run, $3 limit
SELECT id, job, args FROM (
    (SELECT id, job, args FROM pawl.run_live WHERE state = 'queued' AND job = ANY ($1::text[]) AND id > $2 ORDER BY id LIMIT $3)
    UNION ALL
    (SELECT id, job, args FROM pawl.run_waiting WHERE job = ANY ($1::text[]) AND id > $2 ORDER BY id LIMIT $3)) w
ORDER BY id LIMIT $3
