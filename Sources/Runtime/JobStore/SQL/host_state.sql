-- host_state: a host says what it is about to do. $1 host, $2 epoch, $3 state
UPDATE pawl.host SET state = $3, heartbeat_at = now(), stopped_at = CASE WHEN $3 = 'stopped' THEN now() END
WHERE id = $1 AND epoch = $2 AND state <> 'silent' RETURNING id
