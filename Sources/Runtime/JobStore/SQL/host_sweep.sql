-- host_sweep: fences hosts that are silent: without a heartbeat for three of their own intervals, or six while stopping. The
-- judge must be alive itself, never judges itself, and judges only who has been silent for no longer than it has been there
-- without a gap. $1 the judge, $2 its epoch, $3 since when its heartbeats are unbroken, in ms
UPDATE pawl.host h SET state = 'silent', stopped_at = now(), epoch = h.epoch + 1
FROM pawl.host judge
WHERE judge.id = $1 AND judge.epoch = $2 AND judge.state IN ('running', 'stopping')
    AND judge.heartbeat_at > now() - judge.heartbeat_ms * interval '3 milliseconds'
    AND h.id <> judge.id AND h.state IN ('running', 'stopping')
    AND h.heartbeat_ms * CASE h.state WHEN 'stopping' THEN 6 ELSE 3 END <= $3
    AND h.heartbeat_at < now() - h.heartbeat_ms * CASE h.state WHEN 'stopping' THEN 6 ELSE 3 END * interval '1 millisecond'
RETURNING h.id, h.epoch - 1
