-- rules_queue: how many runs of a queue may execute at once; makes its row. Where a flag is false the column stays. $1 name,
-- $2 whether everywhere, $3 everywhere, $4 whether on one host, $5 on one host
INSERT INTO pawl.queue AS q (name, concurrency, host_concurrency) VALUES ($1, CASE WHEN $2 THEN $3::integer END, CASE WHEN $4 THEN $5::integer END)
ON CONFLICT (name) DO UPDATE
SET concurrency = CASE WHEN $2 THEN excluded.concurrency ELSE q.concurrency END,
    host_concurrency = CASE WHEN $4 THEN excluded.host_concurrency ELSE q.host_concurrency END,
    updated_at = now(), revision = q.revision + 1
