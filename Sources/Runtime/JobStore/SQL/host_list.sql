-- host_list: all hosts of the last 30 days, the present ones first.
SELECT id, epoch, data_directory_id, hostname, pid, version, git_sha, slots, capabilities, state, started_at, heartbeat_at,
    stopped_at, heartbeat_ms
FROM pawl.host WHERE heartbeat_at > now() - interval '30 days' ORDER BY stopped_at IS NOT NULL, heartbeat_at DESC
