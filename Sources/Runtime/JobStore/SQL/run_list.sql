-- run_list: newest first. Looks at a window of the newest runs below an id; `edge` is the oldest of them, null if there are no
-- more. A window without any that match has one row, for the edge.
-- $1 tables, $2 below id, $3 window, $4 states, $5 jobs, $6 queues, $7 owner, $8 organization, $9 labels, $10 created from,
-- $11 created before, $12 schedule, $13 retry of, $14 limit, $15 with args and result, $16 above id
WITH edge AS MATERIALIZED (
    SELECT (SELECT id FROM pawl.run_all WHERE kind = ANY ($1::text[]) AND id < $2 AND id > $16 ORDER BY id DESC
        OFFSET $3::bigint - 1 LIMIT 1) AS id
)
SELECT r.*, edge.id AS edge
FROM edge LEFT JOIN (
    SELECT kind, id, queue, rank, state, run_at, job, CASE WHEN $15 THEN args END AS args, max_attempts, created_at, retention,
        trigger, backoff, timeout_ms, title, description, labels, owner, organization, retry_of, schedule_id, planned_at,
        traceparent, attempt, attempts_used, lost_count, outcome, reason, error_code, error_message, error_details,
        entities_processed, entities_total, current_stage, outcome_summary, host_id, pid, version, started_at, finished_at,
        cancel_requested_at, terminate_requested_at, cancel_reason, CASE WHEN $15 THEN result END AS result,
        CASE WHEN $15 THEN result_bytes END AS result_bytes, result_media_type, expires_at
    FROM pawl.run_all
    WHERE kind = ANY ($1) AND id < $2 AND id > $16 AND id >= coalesce((SELECT id FROM edge), 0)
        AND ($4::text[] IS NULL OR state = ANY ($4)) AND ($5::text[] IS NULL OR job = ANY ($5))
        AND ($6::text[] IS NULL OR queue = ANY ($6)) AND ($7::text IS NULL OR owner = $7)
        AND ($8::text IS NULL OR organization = $8) AND ($9::jsonb IS NULL OR labels @> $9)
        AND ($10::timestamptz IS NULL OR created_at >= $10) AND ($11::timestamptz IS NULL OR created_at < $11)
        AND ($12::bigint IS NULL OR schedule_id = $12) AND ($13::bigint IS NULL OR retry_of = $13)
    ORDER BY id DESC LIMIT $14
) r ON true
ORDER BY r.id DESC
