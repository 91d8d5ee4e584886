-- queue_list: queues that were paused or set. $1 name (null: all)
SELECT name, paused_at, pause_reason, created_at FROM pawl.queue WHERE $1::text IS NULL OR name = $1
