-- schedule_take_due: the schedule that has been due for longest, and the database's time; nobody else fires it meanwhile.
SELECT id, name, job, kind, spec, timezone, args, queue, priority, attempts, backoff, timeout_ms, queue_ms, title, description, labels, owner,
    starts_at, ends_at, max_runs, enabled, next_at, run_count, last_planned_at, last_run, last_error, created_at, updated_at,
    revision, options, ordinal, paused_at, paused_until, pause_reason, skip_next, skip_until,
    now() AS now
FROM pawl.schedule WHERE enabled AND next_at <= now()
    AND NOT EXISTS (SELECT FROM pawl.emergency e WHERE e.mode = 'stop_scheduling') ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED
