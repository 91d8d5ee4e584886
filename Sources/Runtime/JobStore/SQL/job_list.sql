-- job_list: jobs with their settings. A pause whose time is over is none. $1 name (null: all)
SELECT j.name, j.handler, j.plugin, j.description, j.args_schema, j.result_schema, j.queue, j.priority, j.attempts, j.backoff, j.limits,
    j.handler_limits, j.retention, j.created_at, j.updated_at, j.revision, j.execution, j.handler_execution, j.retention_failed, j.concurrency,
    j.host_concurrency, CASE WHEN p.holds THEN j.paused_at END, CASE WHEN p.holds THEN j.pause_reason END,
    CASE WHEN p.holds THEN j.pause_until END, p.holds AND j.is_draining
FROM pawl.job j CROSS JOIN LATERAL (
    SELECT j.paused_at IS NOT NULL AND coalesce(j.pause_until > clock_timestamp(), true) AS holds) p
WHERE $1::text IS NULL OR j.name = $1 ORDER BY j.name
