-- schedule_keep_back: runs that were made far in the future wait for others of their schedule. $1 runs, $2 when they may start then,
-- $3 their schedules, $4 the backfill (null: none)
WITH input AS (
    SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::bigint[]) AS i (id, run_at, schedule_id)
), kept AS (
    UPDATE pawl.run_waiting w SET state = 'blocked', run_at = i.run_at, expires_at = i.run_at + (w.expires_at - w.run_at)
    FROM input i WHERE w.id = i.id RETURNING w.id, w.queue, w.job
), turns AS (
    INSERT INTO pawl.schedule_turn (run_id, schedule_id, backfill_id, is_waiting) SELECT id, schedule_id, $4, true FROM input
), counted AS (
    INSERT INTO pawl.counter_delta (queue, job, state, n)
    SELECT queue, job, 'scheduled', -count(*) FROM kept GROUP BY 1, 2
    UNION ALL
    SELECT queue, job, 'blocked', count(*) FROM kept GROUP BY 1, 2
)
SELECT count(*) FROM kept
