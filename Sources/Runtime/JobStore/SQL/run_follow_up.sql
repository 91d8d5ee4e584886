-- run_follow_up: runs that attempts asked for, in the transaction that settles them and behind run_settle. An attempt that has not
-- been settled is not in history; one that was settled before has its links. A job that is not there violates the link's NOT NULL:
-- then nothing of the transaction happens. Answers the lanes of those that are due.
-- $1 host, then one array element for each run
WITH input AS (
    SELECT * FROM unnest($2::bigint[], $3::bigint[], $4::timestamptz[], $5::bigint[], $6::text[], $7::json[], $8::bigint[],
        $9::bigint[], $10::bigint[], $11::text[], $12::text[], $13::json[])
    AS i (parent, attempt, ended_at, number, job, args, delay_ms, priority, attempts, queue, title, labels)
), settled AS (
    -- The time leads to the one partition.
    SELECT i.*, p.retention AS parent_retention, p.owner, p.organization, p.traceparent
    FROM input i CROSS JOIN LATERAL (
        SELECT p.retention, p.owner, p.organization, p.traceparent FROM pawl.run p
        WHERE p.id = i.parent AND p.finished_at = i.ended_at AND p.attempt = i.attempt AND p.host_id = $1
            AND p.state = 'succeeded' LIMIT 1) p
), linked AS (
    INSERT INTO pawl.follow_up AS f (parent, number, child, job, expires_at)
    SELECT s.parent, s.number, nextval('pawl.run_id'), j.name,
        now() + greatest(s.parent_retention, j.retention) * interval '1 day' + coalesce(s.delay_ms, 0) * interval '1 millisecond'
            + interval '30 days'
    FROM (SELECT * FROM settled ORDER BY parent, number) s LEFT JOIN LATERAL (
        SELECT j.name, j.retention FROM pawl.job j WHERE j.name = s.job) j ON true
    ON CONFLICT (parent, number) DO NOTHING
    RETURNING f.parent, f.number, f.child
), known AS (
    SELECT s.*, CASE WHEN s.run_at <= now() THEN nextval('pawl.run_pos') END AS pos,
        s.run_at + s.queue_ms * interval '1 millisecond' AS expires_at
    FROM (
        SELECT l.child AS id, s.parent, s.number, j.name AS job, s.args, coalesce(s.queue, j.queue) AS queue,
            -coalesce(s.priority, j.priority)::integer AS rank,
            now() + coalesce(s.delay_ms, 0) * interval '1 millisecond' AS run_at,
            coalesce(s.attempts, j.attempts, j.handler_attempts, 3)::integer AS max_attempts, j.retention, s.title,
            s.labels::jsonb AS labels, s.owner, s.organization, s.traceparent,
            pawl.queue_ms(NULL, j.limits, j.handler_limits) AS queue_ms, j.lane
        FROM settled s JOIN linked l ON l.parent = s.parent AND l.number = s.number JOIN pawl.job j ON j.name = s.job
        ORDER BY s.parent, s.number
    ) s
), live AS (
    INSERT INTO pawl.run_live (id, queue, rank, pos, run_at, job, args, max_attempts, created_at, retention, trigger, title,
        labels, owner, organization, traceparent, expires_at, lane)
    SELECT id, queue, rank, pos, run_at, job, args, max_attempts, now(), retention, 'follow_up', title, labels, owner,
        organization, traceparent, expires_at, lane
    FROM known WHERE pos IS NOT NULL ORDER BY parent, number
), waiting AS (
    INSERT INTO pawl.run_waiting (id, queue, rank, state, run_at, job, args, max_attempts, created_at, retention, trigger, title,
        labels, owner, organization, traceparent, expires_at)
    SELECT id, queue, rank, 'scheduled', run_at, job, args, max_attempts, now(), retention, 'follow_up', title, labels, owner,
        organization, traceparent, expires_at
    FROM known WHERE pos IS NULL
), counted AS (
    INSERT INTO pawl.counter_delta (queue, job, state, n)
    SELECT queue, job, CASE WHEN pos IS NULL THEN 'scheduled' ELSE 'queued' END, count(*) FROM known GROUP BY 1, 2, 3
)
SELECT parent, queue, rank, pos, lane FROM known WHERE pos IS NOT NULL
