-- run_list_running: as run_list, for running runs alone: by their own index, so that no backlog is walked. Same arguments.
SELECT 'live'::text AS kind, id, queue, rank, state, run_at, job, CASE WHEN $15 THEN args END AS args, max_attempts, created_at,
    retention, trigger, backoff, timeout_ms, title, description, labels, owner, organization, retry_of, schedule_id, planned_at,
    traceparent, attempt, attempts_used, lost_count, outcome, reason, error_code, error_message, error_details,
    entities_processed, entities_total, current_stage, outcome_summary, host_id, pid, version,
    coalesce(started_at, claimed_at) AS started_at, NULL::timestamptz AS finished_at, cancel_requested_at,
    terminate_requested_at, cancel_reason, NULL::json AS result, NULL::bytea AS result_bytes, NULL::text AS result_media_type, expires_at
FROM (SELECT * FROM pawl.run_live WHERE state = 'running' AND id < $2 AND id > $16 ORDER BY id DESC LIMIT $3) r
WHERE $1::text[] IS NOT NULL AND ($4::text[] IS NULL OR state = ANY ($4)) AND ($5::text[] IS NULL OR job = ANY ($5))
    AND ($6::text[] IS NULL OR queue = ANY ($6)) AND ($7::text IS NULL OR owner = $7)
    AND ($8::text IS NULL OR organization = $8) AND ($9::jsonb IS NULL OR labels @> $9)
    AND ($10::timestamptz IS NULL OR created_at >= $10) AND ($11::timestamptz IS NULL OR created_at < $11)
    AND ($12::bigint IS NULL OR schedule_id = $12) AND ($13::bigint IS NULL OR retry_of = $13)
ORDER BY id DESC LIMIT $14
