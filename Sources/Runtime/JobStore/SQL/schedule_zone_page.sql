-- schedule_zone_page: schedules whose times another release of the time zone database may move: not those that are due. $1 after this
-- id, $2 limit
SELECT id, name, job, kind, spec, timezone, args, queue, priority, attempts, backoff, timeout_ms, queue_ms, title, description, labels, owner,
    starts_at, ends_at, max_runs, enabled, next_at, run_count, last_planned_at, last_run, last_error, created_at, updated_at,
    revision, options, ordinal, paused_at, paused_until, pause_reason, skip_next, skip_until
FROM pawl.schedule WHERE id > $1 AND enabled AND next_at > now() AND kind IN ('once', 'cron', 'calendar', 'oncalendar', 'rrule')
    AND timezone <> 'UTC' ORDER BY id LIMIT $2
