-- run_lanes: all (queue, rank) that have queued runs, hopping from one to the next over the index.
WITH RECURSIVE lane AS (
    (SELECT queue, rank FROM pawl.run_live WHERE state = 'queued' ORDER BY queue, rank LIMIT 1)
    UNION ALL
    SELECT hop.queue, hop.rank FROM lane CROSS JOIN LATERAL (
        SELECT r.queue, r.rank FROM pawl.run_live r
        WHERE r.state = 'queued' AND (r.queue, r.rank) > (lane.queue, lane.rank) ORDER BY r.queue, r.rank LIMIT 1) hop
)
SELECT lane.queue, lane.rank, (SELECT last_value FROM pawl.run_pos) AS pos FROM lane
