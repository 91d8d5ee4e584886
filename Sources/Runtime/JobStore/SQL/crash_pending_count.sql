-- crash_pending_count: crashes of the last minute that wait for their frames' names. What waits longer has no reader any more.
-- $1 run, null: of all; $2 limit
SELECT count(*) FROM (SELECT FROM pawl.crash_pending
    WHERE ended_at > now() - interval '1 minute' AND ($1::bigint IS NULL OR run_id = $1) LIMIT $2) p
