-- run_release: runs that were claimed and not started go back to their queues. $1 host, $2 epoch, $3 ids, $4 attempts
WITH mine AS (
    SELECT i.id, i.attempt, place.at AS place
    FROM unnest($3::bigint[], $4::bigint[]) AS i (id, attempt) CROSS JOIN LATERAL (
        SELECT l.ctid AS at FROM pawl.run_live l
        WHERE l.id = i.id AND l.attempt = i.attempt AND l.host_id = $1 AND l.host_epoch = $2 LIMIT 1) place
), back AS (
    UPDATE pawl.run_live l
    SET state = 'queued', pos = nextval('pawl.run_pos'), host_id = NULL, host_epoch = NULL, claimed_at = NULL,
        started_at = NULL, pid = NULL
    FROM mine m
    WHERE l.ctid = m.place AND l.id + 0 = m.id AND l.attempt = m.attempt AND l.host_id = $1 AND l.host_epoch = $2
    RETURNING l.id, l.queue, l.rank, l.pos, l.lane, l.job
), counted AS (
    INSERT INTO pawl.counter_delta (queue, job, state, n)
    SELECT b.queue, b.job, s.state, s.sign * count(*)
    FROM back b CROSS JOIN (VALUES ('running', -1), ('queued', 1)) AS s (state, sign) GROUP BY b.queue, b.job, s.state, s.sign
)
SELECT id, queue, rank, pos, lane FROM back
