-- run_position: how many queued runs of its queue come before one, counted up to a limit; no row: it is not queued. Those of higher
-- priority, and those before it in its own lane. $1 run, $2 limit
SELECT least(higher.n + ahead.n, $2)
FROM (SELECT queue, rank, lane, pos FROM pawl.run_live WHERE id = $1 AND state = 'queued') me
CROSS JOIN LATERAL (
    SELECT count(*) AS n FROM (
        SELECT FROM pawl.run_live r WHERE r.queue = me.queue AND r.state = 'queued' AND r.rank < me.rank LIMIT $2) before) higher
CROSS JOIN LATERAL (
    SELECT count(*) AS n FROM (
        SELECT FROM pawl.run_live r
        WHERE r.queue = me.queue AND r.state = 'queued' AND r.rank = me.rank AND r.lane = me.lane AND r.pos < me.pos
        LIMIT $2) before) ahead
