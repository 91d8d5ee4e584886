-- run_change: changes a run that waits or is queued. What was not asked for stays. A queued run that changes its lane enters the
-- new one at its end, and cannot be put off: then there is no row. $1 run, $2 rank, $3 queue, $4 run at, $5 title
WITH waits AS (
    SELECT id, queue FROM pawl.run_waiting WHERE id = $1 FOR UPDATE
), waiting AS (
    UPDATE pawl.run_waiting w
    SET rank = coalesce($2::integer, w.rank), queue = coalesce($3::text, w.queue), run_at = coalesce($4::timestamptz, w.run_at),
        expires_at = w.expires_at + (coalesce($4::timestamptz, w.run_at) - w.run_at), title = coalesce($5::text, w.title)
    FROM waits old WHERE w.id = old.id AND ($4::timestamptz IS NULL OR w.state IN ('scheduled', 'retrying'))
    RETURNING w.id, w.state, w.job, old.queue AS was, w.queue, w.rank, NULL::bigint AS pos, ''::text AS lane
), stands AS (
    SELECT id, queue, rank FROM pawl.run_live WHERE id = $1 AND state = 'queued' FOR UPDATE
), queued AS (
    UPDATE pawl.run_live l
    SET rank = coalesce($2::integer, l.rank), queue = coalesce($3::text, l.queue), title = coalesce($5::text, l.title),
        pos = CASE WHEN coalesce($2::integer, l.rank) = l.rank AND coalesce($3::text, l.queue) = l.queue THEN l.pos
            ELSE nextval('pawl.run_pos') END
    FROM stands old WHERE l.id = old.id AND l.state = 'queued' AND $4::timestamptz IS NULL
    RETURNING l.id, l.state, l.job, old.queue AS was, l.queue, l.rank, l.pos, l.lane
), changed AS (
    SELECT * FROM waiting UNION ALL SELECT * FROM queued
), counted AS (
    INSERT INTO pawl.counter_delta (queue, job, state, n)
    SELECT was, job, state, -1 FROM changed WHERE was <> queue
    UNION ALL
    SELECT queue, job, state, 1 FROM changed WHERE was <> queue
)
SELECT queue, rank, pos, lane FROM changed
