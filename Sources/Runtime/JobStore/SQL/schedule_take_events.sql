-- schedule_take_events: what has happened for longest, with the schedules that wait for it, and the database's time; as
-- schedule_take_due. $1 the term (null: whoever comes), $2 limit
SELECT s.id, s.name, s.job, s.kind, s.spec, s.timezone, s.args, s.queue, s.priority, s.attempts, s.backoff, s.timeout_ms, s.queue_ms, s.title, s.description, s.labels, s.owner,
    s.starts_at, s.ends_at, s.max_runs, s.enabled, e.due_at AS next_at, s.run_count, s.last_planned_at, s.last_run, s.last_error, s.created_at, s.updated_at,
    s.revision, s.options, s.ordinal, s.paused_at, s.paused_until, s.pause_reason, s.skip_next, s.skip_until,
    now() AS now, e.event
FROM pawl.schedule_event e JOIN pawl.schedule s ON s.id = e.schedule_id
WHERE e.due_at <= now() AND coalesce(s.retry_at <= now(), true)
    AND NOT EXISTS (SELECT FROM pawl.emergency o WHERE o.mode = 'stop_scheduling')
    AND ($1::bigint IS NULL OR EXISTS (SELECT FROM pawl.holding h WHERE h.id = $1 AND h.ended_at IS NULL))
ORDER BY e.due_at LIMIT $2 FOR UPDATE SKIP LOCKED
