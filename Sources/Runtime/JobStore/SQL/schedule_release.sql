-- schedule_release: runs that were kept back and whose turn has come: nothing else of their schedule goes, or their backfill has room.
-- What has ended is forgotten. Answers how many wait still, and how many may go now; nothing goes while scheduling is stopped.
-- $1 the term (null: whoever comes)
WITH may AS MATERIALIZED (
    SELECT ($1::bigint IS NULL OR EXISTS (SELECT FROM pawl.holding h WHERE h.id = $1 AND h.ended_at IS NULL))
        AND NOT EXISTS (SELECT FROM pawl.emergency e WHERE e.mode = 'stop_scheduling') AS go
), turn AS MATERIALIZED (
    SELECT t.run_id, t.schedule_id, t.backfill_id, t.is_waiting FROM pawl.schedule_turn t
    WHERE (t.backfill_id IS NULL OR NOT t.is_waiting) AND (SELECT go FROM may)
), gone AS MATERIALIZED (
    SELECT run_id FROM turn t WHERE NOT EXISTS (SELECT FROM pawl.run_live l WHERE l.id = t.run_id)
        AND NOT EXISTS (SELECT FROM pawl.run_waiting w WHERE w.id = t.run_id)
), alone AS (
    SELECT t.run_id FROM turn t WHERE t.backfill_id IS NULL AND NOT EXISTS (
        SELECT FROM (
            SELECT o.run_id FROM pawl.schedule_occurrence o
            WHERE o.schedule_id = t.schedule_id AND o.run_id IS NOT NULL AND o.source <> 'backfill' AND o.run_id < t.run_id
                -- Those made by hand count for the schedule as it chose; as in schedule_going.
                AND (o.source <> 'manual' OR NOT EXISTS (SELECT FROM pawl.schedule s
                    WHERE s.id = t.schedule_id AND s.options ->> 'count_manual' = 'false'))
            ORDER BY o.planned_at DESC LIMIT 100) earlier
        WHERE EXISTS (SELECT FROM pawl.run_live l WHERE l.id = earlier.run_id)
            OR EXISTS (SELECT FROM pawl.run_waiting w WHERE w.id = earlier.run_id))
), room AS MATERIALIZED (
    SELECT b.id, b.max_parallel - (SELECT count(*) FROM turn t WHERE t.backfill_id = b.id AND t.run_id NOT IN (SELECT run_id FROM gone)) AS n
    FROM pawl.schedule_backfill b WHERE b.ended_at IS NULL AND (SELECT go FROM may)
), behind AS MATERIALIZED (
    -- Of a backfill that has room, the first that wait, some of which may have been ended meanwhile: a thousand of these with each look.
    SELECT r.id AS backfill_id, r.n, t.run_id, EXISTS (SELECT FROM pawl.run_waiting w WHERE w.id = t.run_id)
        OR EXISTS (SELECT FROM pawl.run_live l WHERE l.id = t.run_id) AS is_there
    FROM room r CROSS JOIN LATERAL (
        SELECT run_id FROM pawl.schedule_turn WHERE backfill_id = r.id AND is_waiting ORDER BY run_id LIMIT greatest(r.n, 1000)) t
    WHERE r.n > 0
), next AS MATERIALIZED (
    SELECT run_id FROM alone
    UNION
    SELECT run_id FROM (
        SELECT run_id, n, row_number() OVER (PARTITION BY backfill_id ORDER BY run_id) AS nth FROM behind WHERE is_there) b
    WHERE nth <= n
), ended AS MATERIALIZED (
    SELECT run_id FROM gone UNION SELECT run_id FROM behind WHERE NOT is_there
), freed AS (
    UPDATE pawl.run_waiting w SET state = 'scheduled', run_at = greatest(w.run_at, now()),
        expires_at = greatest(w.run_at, now()) + (w.expires_at - w.run_at)
    FROM next n WHERE w.id = n.run_id AND w.state = 'blocked' RETURNING w.queue, w.job
), counted AS (
    INSERT INTO pawl.counter_delta (queue, job, state, n)
    SELECT queue, job, 'blocked', -count(*) FROM freed GROUP BY 1, 2
    UNION ALL
    SELECT queue, job, 'scheduled', count(*) FROM freed GROUP BY 1, 2
), going AS (
    -- One that is ended between our look and this goes with the next look.
    UPDATE pawl.schedule_turn t SET is_waiting = false FROM next n WHERE t.run_id = n.run_id AND t.backfill_id IS NOT NULL
), forgotten AS (
    DELETE FROM pawl.schedule_turn t WHERE t.run_id IN (SELECT run_id FROM ended UNION SELECT run_id FROM alone)
), over AS (
    UPDATE pawl.schedule_backfill b SET ended_at = now()
    FROM room r WHERE b.id = r.id AND NOT EXISTS (SELECT FROM pawl.schedule_turn t WHERE t.backfill_id = b.id)
)
SELECT (SELECT count(*) FROM pawl.schedule_turn) - (SELECT count(*) FROM ended), (SELECT count(*) FROM freed)
