-- schedule_pause: $1 schedule, $2 whether (else it goes on), $3 until, $4 why, $5 the revision it must have (null: any)
UPDATE pawl.schedule SET paused_at = CASE WHEN $2 THEN coalesce(paused_at, now()) END,
    paused_until = CASE WHEN $2 THEN $3::timestamptz END, pause_reason = CASE WHEN $2 THEN $4::text END, updated_at = now(),
    revision = revision + 1
WHERE id = $1 AND ($5::bigint IS NULL OR revision = $5) RETURNING id
