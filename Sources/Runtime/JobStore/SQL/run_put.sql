-- run_put: requests with unique keys, one array element each, in the order of their keys, so that two such statements never wait
-- for each other. Answers for each its number and the verdict of pawl.put_run.
WITH input AS (
    SELECT * FROM unnest($1::text[], $2::json[], $3::text[], $4::bigint[], $5::timestamptz[], $6::bigint[], $7::bigint[],
        $8::json[], $9::bigint[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::bigint[], $16::bigint[],
        $17::timestamptz[], $18::text[], $19::text[], $20::text[], $21::text[], $22::bigint[], $23::text[]) WITH ORDINALITY
    AS i (job, args, queue, priority, run_at, delay_ms, attempts, backoff, timeout_ms, title, description, labels, owner,
        organization, retry_of, schedule_id, planned_at, trigger, traceparent, key, fingerprint, queue_ms, uniqueness, n)
), keyed AS MATERIALIZED (
    SELECT i.*, pawl.unique_key(i.uniqueness::jsonb, i.job, coalesce(i.queue, j.queue), i.owner, i.organization, i.args) AS unique_key
    FROM input i LEFT JOIN pawl.job j ON j.name = i.job
)
SELECT k.n, p.verdict, p.run_id, p.run_state, p.run_queue, p.run_rank, p.run_pos, p.run_lane, p.run_due, p.run_created, p.run_attempts,
    p.run_expires, p.run_retention
FROM (SELECT * FROM keyed ORDER BY unique_key, n) k CROSS JOIN LATERAL pawl.put_run(k.job, k.args, k.queue, k.priority, k.run_at,
    k.delay_ms, k.attempts, k.backoff, k.timeout_ms, k.title, k.description, k.labels::jsonb, k.owner, k.organization, k.retry_of,
    k.schedule_id, k.planned_at, k.trigger, k.traceparent, k.key, k.fingerprint, k.queue_ms, k.uniqueness::jsonb, k.unique_key) p
