-- schedule_update: replaces a schedule, and tells whoever fires; $23 id, $24 the revision it must have (null: any)
WITH present AS MATERIALIZED (
    SELECT id, kind <> $3 OR spec::jsonb <> $4::jsonb AS is_other FROM pawl.schedule
    WHERE id = $23 AND ($24::bigint IS NULL OR revision = $24) FOR NO KEY UPDATE
), forgotten AS (
    -- What has happened for the one that it was is nothing to the one that it becomes.
    DELETE FROM pawl.schedule_event e USING present p WHERE e.schedule_id = p.id AND p.is_other
)
UPDATE pawl.schedule s SET name = $1, job = $2, kind = $3, spec = $4, timezone = $5, args = $6, queue = $7, priority = $8,
    attempts = $9, timeout_ms = $10, title = $11, description = $12, labels = $13, owner = $14, starts_at = $15, ends_at = $16,
    max_runs = $17, enabled = $18,
    -- What is due and has not been fired yet is not forgotten by a change of something else.
    next_at = CASE WHEN s.next_at <= now() AND s.enabled AND $18 AND $19::timestamptz IS NOT NULL AND NOT p.is_other
        AND s.timezone = $5 THEN s.next_at ELSE $19 END,
    queue_ms = $20, backoff = $21, options = $22, updated_at = now(), revision = s.revision + 1, last_error = NULL,
    retry_at = NULL
FROM present p WHERE s.id = p.id
RETURNING s.id, pg_notify('pawl_schedule', '')
