-- queue_heads: for each queue, since when the first run of its lanes has been due. One row for each lane, none counted.
WITH RECURSIVE hop AS (
    (SELECT queue, rank, lane FROM pawl.run_live WHERE state = 'queued' ORDER BY queue, rank, lane LIMIT 1)
    UNION ALL
    SELECT next.queue, next.rank, next.lane FROM hop CROSS JOIN LATERAL (
        SELECT r.queue, r.rank, r.lane FROM pawl.run_live r
        WHERE r.state = 'queued' AND (r.queue, r.rank, r.lane) > (hop.queue, hop.rank, hop.lane)
        ORDER BY r.queue, r.rank, r.lane LIMIT 1) next
)
SELECT hop.queue, min(head.run_at) FROM hop CROSS JOIN LATERAL (
    SELECT r.run_at FROM pawl.run_live r
    WHERE r.queue = hop.queue AND r.rank = hop.rank AND r.lane = hop.lane AND r.state = 'queued'
    ORDER BY r.pos LIMIT 1) head
GROUP BY hop.queue
