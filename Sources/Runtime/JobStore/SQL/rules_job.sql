-- rules_job: how many runs of a job may execute at once. Where a flag is false the column stays. $1 name,
-- $2 whether everywhere, $3 everywhere, $4 whether on one host, $5 on one host
UPDATE pawl.job
SET concurrency = CASE WHEN $2 THEN $3 ELSE concurrency END,
    host_concurrency = CASE WHEN $4 THEN $5 ELSE host_concurrency END
WHERE name = $1
