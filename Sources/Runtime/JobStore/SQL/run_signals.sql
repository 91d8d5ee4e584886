-- run_signals: what a host was asked to do with its attempts. $1 host, $2 epoch
SELECT id, attempt, terminate_requested_at IS NOT NULL, cancel_grace_ms FROM pawl.run_live
WHERE state = 'running' AND host_id = $1 AND host_epoch = $2
    AND (cancel_requested_at IS NOT NULL OR terminate_requested_at IS NOT NULL)
