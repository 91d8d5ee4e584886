-- schedule_next: when the next schedule is due, or the next event; and the time.
SELECT least(
    (SELECT coalesce(retry_at, next_at) FROM pawl.schedule WHERE enabled AND next_at IS NOT NULL ORDER BY coalesce(retry_at, next_at) LIMIT 1),
    (SELECT min(greatest(e.due_at, s.retry_at)) FROM (SELECT schedule_id, due_at FROM pawl.schedule_event ORDER BY due_at LIMIT 100) e
        JOIN pawl.schedule s ON s.id = e.schedule_id)) AS next_at,
    now() AS now
