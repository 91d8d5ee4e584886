-- run_claim_limited: as run_claim_open, for lanes of which some have limits; goes on with run_claim_take. Behind run_gates.
-- $1 host, $2 epoch, $3 queues, $4 ranks, $5 lanes, $6 watermarks, $7 jobs that this host can run (null: all), $8 at most so many,
-- $9 at most so many of each lane (null: no bound)
WITH lanes AS (
    SELECT array_agg(l.queue ORDER BY l.n) AS queues, array_agg(l.rank ORDER BY l.n) AS ranks, array_agg(l.lane ORDER BY l.n) AS lanes,
        array_agg(l.after ORDER BY l.n) AS afters, array_agg(l.most ORDER BY l.n) AS caps
    FROM unnest($3::text[], $4::bigint[], $5::text[], $6::bigint[], $9::bigint[]) WITH ORDINALITY
        AS l (queue, rank, lane, after, most, n)
    WHERE NOT EXISTS (SELECT FROM pawl.queue q WHERE q.name = l.queue AND q.exclusive
            AND NOT EXISTS (SELECT FROM pawl.holding o WHERE o.kind = 'queue' AND o.name = q.name
                AND o.ended_at IS NULL AND o.host_id = $1 AND o.host_epoch = $2))
        AND NOT EXISTS (SELECT FROM pawl.emergency e WHERE e.mode IN ('pause_queues', 'terminate_all'))
        -- Who was fenced takes nothing.
        AND EXISTS (SELECT FROM pawl.host h WHERE h.id = $1 AND h.epoch = $2 AND h.state IN ('running', 'stopping'))
), next AS (
    SELECT a.place, a.is_limited FROM lanes l CROSS JOIN LATERAL
        pawl.admit($1, l.queues, l.ranks, l.lanes, l.afters, l.caps, $7, $8) AS a
