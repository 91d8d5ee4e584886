-- contract_schedules: schedules that will fire, with their args. $1 jobs, $2 after this one, $3 limit
SELECT id, job, name, args FROM pawl.schedule
WHERE job = ANY ($1::text[]) AND enabled AND next_at IS NOT NULL AND id > $2 ORDER BY id LIMIT $3
