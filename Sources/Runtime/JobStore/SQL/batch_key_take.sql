-- batch_key_take: takes the key of a batch; no row: it is another's. $1 key, $2 fingerprint
INSERT INTO pawl.run_key AS k (kind, key, fingerprint, expires_at) VALUES ('batch', $1, $2, now() + interval '24 hours')
ON CONFLICT (kind, key) DO UPDATE SET fingerprint = excluded.fingerprint, expires_at = excluded.expires_at, answer = NULL
    WHERE k.expires_at <= now()
RETURNING k.key
