-- run_key_find: the runs behind idempotency keys, and where they are. $1 keys
SELECT k.key, k.run_id, k.fingerprint, r.state, r.queue, r.rank
FROM pawl.run_key k LEFT JOIN LATERAL (SELECT a.state, a.queue, a.rank FROM pawl.run_all a WHERE a.id = k.run_id LIMIT 1) r ON true
WHERE k.kind = 'idempotency' AND k.key = ANY ($1) AND k.expires_at > now()
