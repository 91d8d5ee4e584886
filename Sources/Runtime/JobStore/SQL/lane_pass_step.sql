-- lane_pass_step: the next queued runs of a common lane; those of jobs with rules of their own go to lanes of their own and keep their
-- positions. Answers the last position, how many were looked at and how many have gone. $1 queue, $2 rank, $3 behind this position,
-- $4 how many
WITH looked AS (
    SELECT r.place, r.pos, j.lane
    FROM (SELECT l.ctid AS place, l.pos, l.job FROM pawl.run_live l
        WHERE l.queue = $1 AND l.rank = $2 AND l.lane = '' AND l.state = 'queued' AND l.pos > $3 ORDER BY l.pos LIMIT $4) r
    LEFT JOIN pawl.job j ON j.name = r.job AND j.lane <> ''
), held AS (
    -- Whoever claims one of them now has it.
    SELECT mine.place, k.lane FROM looked k CROSS JOIN LATERAL (
        SELECT l.ctid AS place FROM pawl.run_live l WHERE l.ctid = k.place AND l.state = 'queued' FOR UPDATE SKIP LOCKED) mine
    WHERE k.lane IS NOT NULL
), moved AS (
    UPDATE pawl.run_live l SET lane = h.lane FROM held h WHERE l.ctid = h.place RETURNING l.id
)
SELECT max(pos), count(*), (SELECT count(*) FROM moved) FROM looked
