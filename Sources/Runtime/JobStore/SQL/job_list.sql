-- job_list: jobs with their settings. $1 name (null: all)
SELECT name, handler, plugin, description, args_schema, result_schema, queue, priority, attempts, backoff, limits,
    handler_limits, retention, created_at, updated_at, revision, execution, handler_execution, retention_failed
FROM pawl.job WHERE $1::text IS NULL OR name = $1 ORDER BY name
