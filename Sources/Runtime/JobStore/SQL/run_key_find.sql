-- run_key_find: the run behind an idempotency key, and where it is.
SELECT k.run_id, k.fingerprint, r.state, r.queue, r.rank
FROM pawl.run_key k LEFT JOIN pawl.run_all r ON r.id = k.run_id
WHERE k.kind = 'idempotency' AND k.key = $1 AND k.expires_at > now()
