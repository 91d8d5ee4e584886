-- crash_pending: crashes of a host that wait for their frames' names, and those of hosts that have been gone for a while.
-- $1 host, $2 limit
SELECT p.run_id, p.attempt, p.job, coalesce(j.handler, p.job) AS handler, v.plugin, p.version, p.ended_at, p.host_id = $1 AS is_own,
    a.detail
FROM pawl.crash_pending p
LEFT JOIN pawl.job j ON j.name = p.job
LEFT JOIN pawl.plugin_version v ON v.sha256 = p.version
LEFT JOIN pawl.attempt a ON a.run_id = p.run_id AND a.attempt = p.attempt AND a.retention = p.retention AND a.ended_at = p.ended_at
WHERE p.host_id = $1 OR NOT EXISTS (SELECT FROM pawl.host h
    WHERE h.id = p.host_id AND h.heartbeat_at > now() - interval '10 minutes')
ORDER BY p.ended_at, p.run_id LIMIT $2
