-- schedule_update: replaces a schedule, and tells whoever fires; $23 id, $24 the revision it must have (null: any)
UPDATE pawl.schedule SET name = $1, job = $2, kind = $3, spec = $4, timezone = $5, args = $6, queue = $7, priority = $8,
    attempts = $9, timeout_ms = $10, title = $11, description = $12, labels = $13, owner = $14, starts_at = $15, ends_at = $16,
    max_runs = $17, enabled = $18,
    -- What is due and has not been fired yet is not forgotten by a change of something else.
    next_at = CASE WHEN next_at <= now() AND enabled AND $18 AND $19::timestamptz IS NOT NULL AND kind = $3 AND timezone = $5
        AND spec::jsonb = $4::jsonb THEN next_at ELSE $19 END,
    queue_ms = $20, backoff = $21, options = $22, updated_at = now(), revision = revision + 1, last_error = NULL,
    retry_at = NULL
WHERE id = $23 AND ($24::bigint IS NULL OR revision = $24)
RETURNING id, pg_notify('pawl_schedule', '')
