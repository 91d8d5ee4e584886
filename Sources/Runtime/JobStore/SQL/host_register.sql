-- host_register: a host begins, or begins again: the epoch grows. $1 data directory, $2 hostname, $3 pid, $4 version,
-- $5 git sha, $6 slots, $7 capabilities, $8 between two heartbeats, in ms
INSERT INTO pawl.host AS h (data_directory_id, hostname, pid, version, git_sha, slots, capabilities, heartbeat_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (data_directory_id) DO UPDATE SET epoch = h.epoch + 1, hostname = excluded.hostname, pid = excluded.pid,
    version = excluded.version, git_sha = excluded.git_sha, slots = excluded.slots, capabilities = excluded.capabilities,
    heartbeat_ms = excluded.heartbeat_ms, state = 'running', started_at = now(), heartbeat_at = now(), stopped_at = NULL
RETURNING id, epoch
