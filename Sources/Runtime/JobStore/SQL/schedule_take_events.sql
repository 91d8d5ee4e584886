-- schedule_take_events: schedules for which something has happened, those for which it was longest ago first, and the database's time; as
-- schedule_take_due. $1 the term (null: whoever comes), $2 limit
SELECT s.id, s.name, s.job, s.kind, s.spec, s.timezone, s.args, s.queue, s.priority, s.attempts, s.backoff, s.timeout_ms, s.queue_ms, s.title, s.description, s.labels, s.owner,
    s.starts_at, s.ends_at, s.max_runs, s.enabled, s.next_at, s.run_count, s.last_planned_at, s.last_run, s.last_error, s.created_at, s.updated_at,
    s.revision, s.options, s.ordinal, s.paused_at, s.paused_until, s.pause_reason, s.skip_next, s.skip_until,
    now() AS now
FROM pawl.schedule s CROSS JOIN LATERAL (
    SELECT o.due_at FROM pawl.schedule_event o WHERE o.schedule_id = s.id ORDER BY o.due_at LIMIT 1) e
WHERE s.kind IN ('after', 'event') AND e.due_at <= now() AND coalesce(s.retry_at <= now(), true)
    AND NOT EXISTS (SELECT FROM pawl.emergency o WHERE o.mode = 'stop_scheduling')
    AND ($1::bigint IS NULL OR EXISTS (SELECT FROM pawl.holding h WHERE h.id = $1 AND h.ended_at IS NULL))
ORDER BY e.due_at LIMIT $2 FOR NO KEY UPDATE OF s SKIP LOCKED
