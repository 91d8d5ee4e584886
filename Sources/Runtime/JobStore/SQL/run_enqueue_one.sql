-- run_enqueue_one: run_enqueue for one plain request, without a key, a time or an origin: less work for
-- the server, and one that comes to an idle host waits for nothing else. No row if its job is unknown. $1 job, $2 args, $3 queue, $4 priority, $5 attempts, $6 backoff,
-- $7 timeout_ms, $8 title, $9 description, $10 labels, $11 owner, $12 organization, $13 trigger, $14 traceparent, $15 queue_ms
WITH live AS (
    INSERT INTO pawl.run_live (id, queue, rank, pos, run_at, job, args, max_attempts, created_at, retention, trigger, backoff,
        timeout_ms, title, description, labels, owner, organization, traceparent, expires_at, lane)
    SELECT nextval('pawl.run_id'), coalesce($3::text, j.queue), -coalesce($4::bigint, j.priority)::integer, nextval('pawl.run_pos'),
        now(), j.name, $2::json, coalesce($5::bigint, j.attempts, j.handler_attempts, 3)::integer, now(), j.retention, $13::text,
        $6::json, $7::bigint, $8::text, $9::text, $10::jsonb, $11::text, $12::text, $14::text,
        now() + pawl.queue_ms($15::bigint, j.limits, j.handler_limits) * interval '1 millisecond', j.lane
    FROM pawl.job j WHERE j.name = $1::text
    RETURNING id, queue, rank, pos, lane, run_at, created_at, max_attempts, expires_at, retention, job
), counted AS (
    INSERT INTO pawl.counter_delta (queue, job, state, n) SELECT queue, job, 'queued', 1 FROM live
)
SELECT 1::bigint, id, queue, rank, pos, lane, run_at, created_at, max_attempts, expires_at, retention FROM live
