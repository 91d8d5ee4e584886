-- upkeep_keys: forgets keys that have expired, some at a time.
DELETE FROM pawl.run_key WHERE (kind, key) IN (
    SELECT kind, key FROM pawl.run_key WHERE expires_at <= now() ORDER BY expires_at LIMIT 5000)
