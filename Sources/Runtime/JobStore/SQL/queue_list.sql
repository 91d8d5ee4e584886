-- queue_list: queues that were paused or set. A pause whose time is over is none. $1 name (null: all)
SELECT q.name, CASE WHEN p.holds THEN q.paused_at END, CASE WHEN p.holds THEN q.pause_reason END, q.created_at,
    CASE WHEN p.holds THEN q.pause_until END, p.holds AND q.is_draining, q.concurrency, q.host_concurrency, q.revision
FROM pawl.queue q CROSS JOIN LATERAL (
    SELECT q.paused_at IS NOT NULL AND coalesce(q.pause_until > clock_timestamp(), true) AS holds) p
WHERE $1::text IS NULL OR q.name = $1
