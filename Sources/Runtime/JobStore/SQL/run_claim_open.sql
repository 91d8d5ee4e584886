-- run_claim_open: the oldest queued runs of lanes without limits, in the order of the lanes, at most $8 in all; goes on with
-- run_claim_take. $1 host, $2 epoch, $3 queues, $4 ranks, $5 lanes, $6 watermarks, $7 jobs that this host can run (null: all)
WITH lane AS (
    SELECT l.queue, l.rank, l.lane, l.after
    FROM unnest($3::text[], $4::bigint[], $5::text[], $6::bigint[]) WITH ORDINALITY AS l (queue, rank, lane, after, n)
    WHERE NOT EXISTS (
        SELECT FROM pawl.queue q
        WHERE q.name = l.queue AND (q.concurrency IS NOT NULL OR q.host_concurrency IS NOT NULL
            OR q.exclusive AND NOT EXISTS (SELECT FROM pawl.holding o WHERE o.kind = 'queue' AND o.name = q.name
                AND o.ended_at IS NULL AND o.host_id = $1 AND o.host_epoch = $2)
            OR q.paused_at IS NOT NULL AND coalesce(q.pause_until > clock_timestamp(), true)))
        AND NOT EXISTS (
        SELECT FROM pawl.job j
        WHERE j.name = l.lane AND (j.concurrency IS NOT NULL OR j.host_concurrency IS NOT NULL
            OR j.paused_at IS NOT NULL AND coalesce(j.pause_until > clock_timestamp(), true)))
        AND NOT EXISTS (SELECT FROM pawl.emergency e WHERE e.mode IN ('pause_queues', 'terminate_all'))
        -- Who was fenced takes nothing.
        AND EXISTS (SELECT FROM pawl.host h WHERE h.id = $1 AND h.epoch = $2 AND h.state IN ('running', 'stopping'))
), ruled AS (
    -- Jobs with rules of their own. Those of their runs that are not in their lanes yet wait until they are.
    SELECT coalesce((SELECT array_agg(j.lane) FROM pawl.job j WHERE j.lane <> ''), '{}') AS jobs
), next AS (
    -- Rows are pulled lane by lane and locked as they are pulled: the outer limit locks none too many.
    SELECT head.place, false AS is_limited FROM lane l CROSS JOIN LATERAL (
        SELECT r.ctid AS place FROM pawl.run_live r
        WHERE r.queue = l.queue AND r.rank = l.rank AND r.lane = l.lane AND r.state = 'queued' AND r.pos > l.after
            AND (r.lane <> '' OR r.job <> ALL ((SELECT jobs FROM ruled)::text[]))
            AND ($7::text[] IS NULL OR r.job = ANY ($7)) AND (r.expires_at IS NULL OR r.expires_at > now())
        ORDER BY r.pos LIMIT $8 FOR UPDATE SKIP LOCKED) head
    LIMIT $8
