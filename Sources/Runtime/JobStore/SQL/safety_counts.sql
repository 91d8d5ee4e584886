-- safety_counts: figures for the health report, from small tables and indexes. $1 stale after, in ms
SELECT
    (SELECT count(*) FROM (SELECT FROM pawl.run_live WHERE state = 'running'
        AND coalesce(started_at, claimed_at) <= now() - $1::bigint * interval '1 millisecond' LIMIT 10000) s) AS stale,
    (SELECT count(*) FROM pawl.host WHERE state = 'silent' AND heartbeat_at > now() - interval '1 day') AS silent,
    (SELECT count(*) FROM pawl.host WHERE state IN ('running', 'stopping')
        AND heartbeat_at > now() - interval '60 seconds') AS live,
    (SELECT count(*) FROM pawl.queue WHERE paused_at IS NOT NULL) AS paused,
    (SELECT count(*) FROM pawl.schedule WHERE enabled AND next_at < now() - interval '1 minute') AS overdue
