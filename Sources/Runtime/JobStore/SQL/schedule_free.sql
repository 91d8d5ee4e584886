-- schedule_free: ends firings that have held up an order for longer than any takes: their hosts were stopped in the middle. They are rolled back.
SELECT count(*) FILTER (WHERE pg_terminate_backend(l.pid))
FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.mode = 'ShareLock' AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
    AND (l.classid::bigint << 32 | l.objid::bigint) = 8097884910729035780 AND l.objsubid = 1
    AND a.xact_start < clock_timestamp() - interval '2 seconds'
