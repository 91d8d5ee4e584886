-- batch_key_find: what was answered to a batch. $1 key
SELECT fingerprint, answer FROM pawl.run_key WHERE kind = 'batch' AND key = $1 AND expires_at > now()
