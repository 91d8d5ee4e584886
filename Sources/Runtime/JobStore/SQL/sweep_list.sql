-- sweep_list: newest first. $1 before this one (null: from the newest), $2 limit, $3 only those that found something
SELECT id, at, kind, mode, host_id, actor, reason, took_ms, stale, failed, requeued, untouched, array_to_string(runs, ' '),
    orphans, cleaned
FROM pawl.safety_sweep
WHERE ($1::bigint IS NULL OR id < $1) AND (NOT $3 OR stale > 0 OR orphans::text <> '{}')
ORDER BY id DESC LIMIT $2
