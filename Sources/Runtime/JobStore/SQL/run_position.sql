-- run_position: how many queued runs of its queue come before one, counted up to a limit; no row: it is not queued.
-- $1 run, $2 limit
SELECT ahead.n
FROM (SELECT queue, rank, pos FROM pawl.run_live WHERE id = $1 AND state = 'queued') me
CROSS JOIN LATERAL (
    SELECT count(*) AS n FROM (
        SELECT FROM pawl.run_live r
        WHERE r.queue = me.queue AND r.state = 'queued' AND (r.rank, r.pos) < (me.rank, me.pos)
        LIMIT $2) before) ahead
