-- schedule_lock: a schedule, held until the end of the transaction (ends of runs may refer to it), and the database's time. $1 id
SELECT id, name, job, kind, spec, timezone, args, queue, priority, attempts, backoff, timeout_ms, queue_ms, title, description, labels, owner,
    starts_at, ends_at, max_runs, enabled, next_at, run_count, last_planned_at, last_run, last_error, created_at, updated_at,
    revision, options, ordinal, paused_at, paused_until, pause_reason, skip_next, skip_until,
    clock_timestamp() AS now
FROM pawl.schedule WHERE id = $1 FOR NO KEY UPDATE
