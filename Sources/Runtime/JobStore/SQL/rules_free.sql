-- rules_free: ends claims that have held up a change of the rules for longer than any claim takes: their hosts were stopped while
-- the server was sending them an answer. They are rolled back; their runs stay queued.
SELECT count(*) FILTER (WHERE pg_terminate_backend(l.pid))
FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.mode = 'ShareLock' AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
    AND (l.classid::bigint << 32 | l.objid::bigint) = 8097884910729035779 AND l.objsubid = 1
    AND a.xact_start < clock_timestamp() - interval '2 seconds'
