-- schedule_insert: no row: another schedule has its name; else whoever fires is told.
INSERT INTO pawl.schedule (name, job, kind, spec, timezone, args, queue, priority, attempts, timeout_ms, title, description,
    labels, owner, starts_at, ends_at, max_runs, enabled, next_at,
    queue_ms, backoff, options)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
ON CONFLICT (name) DO NOTHING RETURNING id, pg_notify('pawl_schedule', '')
