-- run_release: runs that were claimed and not started go back to their queues. $1 host, $2 epoch, $3 ids, $4 attempts
WITH back AS (
    UPDATE pawl.run_live l
    SET state = 'queued', pos = nextval('pawl.run_pos'), host_id = NULL, host_epoch = NULL, claimed_at = NULL,
        started_at = NULL, pid = NULL
    FROM unnest($3::bigint[], $4::bigint[]) AS i (id, attempt)
    WHERE l.id = i.id AND l.attempt = i.attempt AND l.state = 'running' AND l.host_id = $1 AND l.host_epoch = $2
    RETURNING l.id, l.queue, l.rank, l.pos, l.job
), counted AS (
    INSERT INTO pawl.counter_delta (queue, job, state, n)
    SELECT b.queue, b.job, s.state, s.sign * count(*)
    FROM back b CROSS JOIN (VALUES ('running', -1), ('queued', 1)) AS s (state, sign) GROUP BY b.queue, b.job, s.state, s.sign
)
SELECT id, queue, rank, pos FROM back
