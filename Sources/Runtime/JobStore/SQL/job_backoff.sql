-- job_backoff: how long runs of a job wait between attempts. $1 job
SELECT backoff FROM pawl.job WHERE name = $1
