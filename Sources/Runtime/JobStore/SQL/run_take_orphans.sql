-- run_take_orphans: as run_take_back, for these attempts, if the host that is said to execute them is gone. $1 ids, $2 attempts, $3 how
-- often a run may be lost, $4 sentence
WITH mine AS (
    SELECT l.id, l.attempt, l.host_id, l.host_epoch, l.claimed_at, l.started_at, l.pid, l.version,
        l.cancel_requested_at IS NOT NULL OR l.terminate_requested_at IS NOT NULL AS unwanted, l.lost_count + 1 >= $3 AS hopeless
    FROM pawl.run_live l JOIN unnest($1::bigint[], $2::bigint[]) AS i (id, attempt) ON l.id = i.id AND l.attempt = i.attempt
    WHERE l.state = 'running' AND NOT EXISTS (SELECT FROM pawl.host h
        WHERE h.id = l.host_id AND h.epoch = l.host_epoch AND h.state IN ('running', 'stopping'))
    ORDER BY l.id FOR UPDATE OF l
