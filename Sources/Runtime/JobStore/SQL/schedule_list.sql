-- schedule_list: $1 id, $2 job, $3 due before (null: all), $4 limit, $5 after this id (null: from the first)
SELECT id, name, job, kind, spec, timezone, args, queue, priority, attempts, backoff, timeout_ms, queue_ms, title, description, labels, owner,
    starts_at, ends_at, max_runs, enabled, CASE WHEN enabled THEN next_at END AS next_at, run_count, last_planned_at, last_run,
    last_error, created_at, updated_at, revision, options, ordinal, paused_at, paused_until, pause_reason, skip_next, skip_until
FROM pawl.schedule
WHERE ($1::bigint IS NULL OR id = $1) AND ($2::text IS NULL OR job = $2) AND ($5::bigint IS NULL OR id > $5)
    AND ($3::timestamptz IS NULL OR enabled AND next_at IS NOT NULL AND coalesce(retry_at, next_at) <= $3)
ORDER BY CASE WHEN $3 IS NULL THEN NULL ELSE coalesce(retry_at, next_at) END, id LIMIT $4
