-- error_group_list: the last seen first. $1 last seen before, $2 its fingerprint (nulls: from the beginning), $3 limit,
-- $4 fingerprint (null: all)
SELECT fingerprint, kind, title, job, handler, plugin, signal, count, first_seen_at, last_seen_at, first_version, last_version,
    sample_run, sample_attempt
FROM pawl.error_group
WHERE ($1::timestamptz IS NULL OR last_seen_at < $1 OR (last_seen_at = $1 AND fingerprint > $2))
    AND ($4::text IS NULL OR fingerprint = $4)
ORDER BY last_seen_at DESC, fingerprint LIMIT $3
