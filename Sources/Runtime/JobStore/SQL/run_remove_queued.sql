-- run_remove_queued: takes queued runs away; never one that a host has. Rows that somebody is claiming just now are left to
-- them. $1 runs
WITH still AS (
    SELECT id FROM pawl.run_live WHERE id = ANY ($1::bigint[]) AND state = 'queued' ORDER BY id FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM pawl.run_live l USING still WHERE l.id = still.id AND l.state = 'queued' RETURNING l.id, l.queue, l.job, l.state
), counted AS (
    INSERT INTO pawl.counter_delta (queue, job, state, n) SELECT queue, job, state, -count(*) FROM gone GROUP BY 1, 2, 3
)
SELECT id, state FROM gone
