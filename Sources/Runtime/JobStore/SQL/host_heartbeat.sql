-- host_heartbeat: still there; no row if fenced. $1 host, $2 epoch
UPDATE pawl.host SET heartbeat_at = now()
WHERE id = $1 AND epoch = $2 AND state IN ('running', 'stopping') RETURNING id
