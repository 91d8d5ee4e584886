-- schedule_take_due: schedules that have been due for longest, and the database's time; nobody else fires them meanwhile, and ends of runs may
-- still refer to them (no key lock). Nothing if
-- another host fires now. $1 the term (null: whoever comes), $2 limit
SELECT id, name, job, kind, spec, timezone, args, queue, priority, attempts, backoff, timeout_ms, queue_ms, title, description, labels, owner,
    starts_at, ends_at, max_runs, enabled, next_at, run_count, last_planned_at, last_run, last_error, created_at, updated_at,
    revision, options, ordinal, paused_at, paused_until, pause_reason, skip_next, skip_until,
    now() AS now
FROM pawl.schedule WHERE enabled AND next_at IS NOT NULL AND coalesce(retry_at, next_at) <= now()
    AND NOT EXISTS (SELECT FROM pawl.emergency e WHERE e.mode = 'stop_scheduling')
    AND ($1::bigint IS NULL OR EXISTS (SELECT FROM pawl.holding h WHERE h.id = $1 AND h.ended_at IS NULL))
ORDER BY coalesce(retry_at, next_at) LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
