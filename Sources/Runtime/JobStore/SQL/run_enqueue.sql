-- run_enqueue: requests for runs, one array element each. Answers one row for each that was taken; missing are those of
-- unknown jobs and those whose idempotency key is known.
WITH input AS (
    SELECT * FROM unnest($1::text[], $2::json[], $3::text[], $4::bigint[], $5::timestamptz[], $6::bigint[], $7::bigint[],
        $8::json[], $9::bigint[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::bigint[], $16::bigint[],
        $17::timestamptz[], $18::text[], $19::text[], $20::text[], $21::text[], $22::bigint[]) WITH ORDINALITY
    AS i (job, args, queue, priority, run_at, delay_ms, attempts, backoff, timeout_ms, title, description, labels, owner,
        organization, retry_of, schedule_id, planned_at, trigger, traceparent, key, fingerprint, queue_ms, n)
), keyed AS (
    INSERT INTO pawl.run_key AS k (kind, key, run_id, fingerprint, expires_at)
    SELECT 'idempotency', i.key, nextval('pawl.run_id'), i.fingerprint, now() + interval '24 hours'
    -- In the order of the keys, so that two such statements never wait for each other.
    FROM input i JOIN pawl.job j ON j.name = i.job WHERE i.key IS NOT NULL ORDER BY i.key
    ON CONFLICT (kind, key) DO UPDATE
        SET run_id = excluded.run_id, fingerprint = excluded.fingerprint, expires_at = excluded.expires_at
        WHERE k.expires_at <= now()
    RETURNING k.key, k.run_id
), known AS (
    -- Numbers are drawn in the order of the requests.
    SELECT coalesce(s.key_run, nextval('pawl.run_id')) AS id, CASE WHEN s.run_at <= now() THEN nextval('pawl.run_pos') END AS pos,
        s.run_at + s.queue_ms * interval '1 millisecond' AS expires_at, s.*
    FROM (
        SELECT k.run_id AS key_run, i.n, i.job, i.args, coalesce(i.queue, j.queue) AS queue,
            -coalesce(i.priority, j.priority)::integer AS rank,
            coalesce(i.run_at, now() + i.delay_ms * interval '1 millisecond', now()) AS run_at,
            coalesce(i.attempts, j.attempts, j.handler_attempts, 3)::integer AS max_attempts, j.retention, i.backoff,
            i.timeout_ms, i.title, i.description, i.labels::jsonb AS labels, i.owner, i.organization, i.retry_of,
            i.schedule_id, i.planned_at, i.trigger, i.traceparent,
            pawl.queue_ms(i.queue_ms, j.limits, j.handler_limits) AS queue_ms, j.lane
        FROM input i
        JOIN pawl.job j ON j.name = i.job
        LEFT JOIN keyed k ON k.key = i.key
        WHERE i.key IS NULL OR k.run_id IS NOT NULL
        ORDER BY i.n
    ) s
), live AS (
    INSERT INTO pawl.run_live (id, queue, rank, pos, run_at, job, args, max_attempts, created_at, retention, trigger, backoff,
        timeout_ms, title, description, labels, owner, organization, retry_of, schedule_id, planned_at, traceparent, expires_at,
        lane)
    SELECT id, queue, rank, pos, run_at, job, args, max_attempts, now(), retention, trigger, backoff, timeout_ms, title,
        description, labels, owner, organization, retry_of, schedule_id, planned_at, traceparent, expires_at, lane
    FROM known WHERE pos IS NOT NULL ORDER BY n
), waiting AS (
    INSERT INTO pawl.run_waiting (id, queue, rank, state, run_at, job, args, max_attempts, created_at, retention, trigger,
        backoff, timeout_ms, title, description, labels, owner, organization, retry_of, schedule_id, planned_at, traceparent,
        expires_at)
    SELECT id, queue, rank, 'scheduled', run_at, job, args, max_attempts, now(), retention, trigger, backoff, timeout_ms,
        title, description, labels, owner, organization, retry_of, schedule_id, planned_at, traceparent, expires_at
    FROM known WHERE pos IS NULL
), counted AS (
    INSERT INTO pawl.counter_delta (queue, job, state, n)
    SELECT queue, job, CASE WHEN pos IS NULL THEN 'scheduled' ELSE 'queued' END, count(*) FROM known GROUP BY 1, 2, 3
)
SELECT n, id, queue, rank, pos, lane, run_at, now(), max_attempts, expires_at, retention FROM known
