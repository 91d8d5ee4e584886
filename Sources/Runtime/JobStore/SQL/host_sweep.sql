-- host_sweep: fences hosts without a heartbeat for 30 s, or 60 s while stopping. $1 the judge, who never judges itself
UPDATE pawl.host SET state = 'silent', stopped_at = now(), epoch = epoch + 1
WHERE id <> $1 AND (state = 'running' AND heartbeat_at < now() - interval '30 seconds'
    OR state = 'stopping' AND heartbeat_at < now() - interval '60 seconds')
RETURNING id, epoch - 1
