-- run_settle_lost: attempts whose zygote or shutting-down host took them along: back to their queues at once, guarded as in
-- run_settle. $1 host, $2 epoch, then one array element for each attempt
WITH input AS (
    SELECT * FROM unnest($3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::timestamptz[], $8::timestamptz[], $9::bigint[],
        $10::text[], $11::json[], $12::text[], $13::boolean[])
    AS i (id, attempt, outcome, reason, started_at, ended_at, pid, version, detail, sentence, counts)
), mine AS (
    SELECT i.id, i.attempt, i.outcome, i.reason, coalesce(i.started_at, place.started_at) AS started_at, i.ended_at, i.pid,
        i.version, i.detail, i.sentence, i.counts, place.at AS place, place.claimed_at
    FROM input i CROSS JOIN LATERAL (
        SELECT l.ctid AS at, l.claimed_at, l.started_at FROM pawl.run_live l
        WHERE l.id = i.id AND l.attempt = i.attempt AND l.host_id = $1 AND l.host_epoch = $2 LIMIT 1) place
), back AS (
    UPDATE pawl.run_live l
    SET state = 'queued', pos = nextval('pawl.run_pos'), host_id = NULL, host_epoch = NULL, claimed_at = NULL,
        started_at = NULL, pid = NULL, outcome = m.outcome, reason = m.reason,
        -- A host that stops in good order says so itself: that is nothing to count against the run.
        lost_count = lost_count + m.counts::integer,
        -- It has been started once: it does not expire any more.
        expires_at = CASE WHEN m.started_at IS NULL THEN l.expires_at END
    FROM mine m
    WHERE l.ctid = m.place AND l.id + 0 = m.id AND l.attempt = m.attempt AND l.host_id = $1 AND l.host_epoch = $2
    RETURNING l.id, l.queue, l.rank, l.pos, l.lane, l.job, l.retention, l.attempt, m.claimed_at, m.outcome, m.reason,
        m.started_at, m.ended_at, m.pid, m.version, m.detail, m.sentence
), attempts AS (
    INSERT INTO pawl.attempt (run_id, attempt, retention, ended_at, job, outcome, reason, host_id, host_epoch, pid, version,
        claimed_at, started_at, detail, sentence)
    SELECT id, attempt, retention, ended_at, job, outcome, reason, $1, $2, pid, version, claimed_at, started_at, detail, sentence
    FROM back
), counted AS (
    INSERT INTO pawl.counter_delta (queue, job, state, n)
    SELECT b.queue, b.job, s.state, s.sign * count(*)
    FROM back b CROSS JOIN (VALUES ('running', -1), ('queued', 1)) AS s (state, sign) GROUP BY b.queue, b.job, s.state, s.sign
)
SELECT id, queue, rank, pos, lane FROM back
