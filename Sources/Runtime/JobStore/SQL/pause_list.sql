-- pause_list: queues and jobs of which nothing is claimed, the oldest pause first. A pause whose time is over is none.
SELECT kind, name, paused_at, pause_reason, pause_until, is_draining FROM (
    SELECT 'queue' AS kind, name, paused_at, pause_reason, pause_until, is_draining FROM pawl.queue WHERE paused_at IS NOT NULL
    UNION ALL
    SELECT 'job', name, paused_at, pause_reason, pause_until, is_draining FROM pawl.job WHERE paused_at IS NOT NULL) p
WHERE coalesce(pause_until > clock_timestamp(), true)
ORDER BY paused_at, kind, name
