-- queue_pause: pauses a queue. $1 name, $2 reason
INSERT INTO pawl.queue AS q (name, paused_at, pause_reason) VALUES ($1, now(), $2)
ON CONFLICT (name) DO UPDATE SET paused_at = now(), pause_reason = excluded.pause_reason WHERE q.paused_at IS NULL
