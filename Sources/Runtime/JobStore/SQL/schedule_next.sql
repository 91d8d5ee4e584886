-- schedule_next: when the next schedule is due, or the next event; and the time. Events of a schedule that is put off count when that is over.
SELECT least(
    (SELECT coalesce(retry_at, next_at) FROM pawl.schedule WHERE enabled AND next_at IS NOT NULL ORDER BY coalesce(retry_at, next_at) LIMIT 1),
    (SELECT min(greatest(e.due_at, s.retry_at)) FROM pawl.schedule s CROSS JOIN LATERAL (
        SELECT o.due_at FROM pawl.schedule_event o WHERE o.schedule_id = s.id ORDER BY o.due_at LIMIT 1) e
        WHERE s.kind IN ('after', 'event'))) AS next_at,
    now() AS now
