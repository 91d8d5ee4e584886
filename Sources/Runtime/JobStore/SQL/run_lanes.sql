-- run_lanes: all lanes (queue, rank, and the job that waits by itself or '') that have queued runs, hopping from one to the next
-- over the index.
WITH RECURSIVE hop AS (
    (SELECT queue, rank, lane FROM pawl.run_live WHERE state = 'queued' ORDER BY queue, rank, lane LIMIT 1)
    UNION ALL
    SELECT next.queue, next.rank, next.lane FROM hop CROSS JOIN LATERAL (
        SELECT r.queue, r.rank, r.lane FROM pawl.run_live r
        WHERE r.state = 'queued' AND (r.queue, r.rank, r.lane) > (hop.queue, hop.rank, hop.lane)
        ORDER BY r.queue, r.rank, r.lane LIMIT 1) next
)
SELECT hop.queue, hop.rank, hop.lane, (SELECT last_value FROM pawl.run_pos) AS pos FROM hop
