-- queue_heads: for each queue, since when the first run of its lanes has been due. One row for each lane, none counted.
WITH RECURSIVE lane AS (
    (SELECT queue, rank FROM pawl.run_live WHERE state = 'queued' ORDER BY queue, rank LIMIT 1)
    UNION ALL
    SELECT hop.queue, hop.rank FROM lane CROSS JOIN LATERAL (
        SELECT r.queue, r.rank FROM pawl.run_live r
        WHERE r.state = 'queued' AND (r.queue, r.rank) > (lane.queue, lane.rank) ORDER BY r.queue, r.rank LIMIT 1) hop
)
SELECT lane.queue, min(head.run_at) FROM lane CROSS JOIN LATERAL (
    SELECT r.run_at FROM pawl.run_live r WHERE r.queue = lane.queue AND r.rank = lane.rank AND r.state = 'queued'
    ORDER BY r.pos LIMIT 1) head
GROUP BY lane.queue
