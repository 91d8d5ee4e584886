-- upkeep_keys: forgets keys that have expired, and looks after unique keys whose run may have left their window, some at a time.
-- Answers how many it forgot and how many it looked at. A key that was taken by another meanwhile is not looked at.
WITH expired AS (
    DELETE FROM pawl.run_key WHERE (kind, key) IN (
        SELECT kind, key FROM pawl.run_key WHERE expires_at <= now() ORDER BY expires_at LIMIT 5000 FOR UPDATE SKIP LOCKED)
    RETURNING 1
), due AS (
    SELECT kind, key, run_id, until FROM pawl.run_key WHERE look_at <= now() ORDER BY look_at LIMIT 5000 FOR UPDATE SKIP LOCKED
), held AS (
    SELECT d.kind, d.key, r.created_at, r.run_at FROM due d CROSS JOIN LATERAL (
        SELECT l.created_at, l.run_at, l.state, l.attempt FROM pawl.run_live l WHERE l.id = d.run_id
        UNION ALL
        SELECT w.created_at, w.run_at, w.state, w.attempt FROM pawl.run_waiting w WHERE w.id = d.run_id) r
    WHERE d.until = 'finished' OR (r.state <> 'running'
        AND (r.attempt = 0 OR NOT EXISTS (SELECT FROM pawl.attempt a WHERE a.run_id = d.run_id)))
), later AS (
    -- The longer it waits, the less often it is looked at.
    UPDATE pawl.run_key k
    SET look_at = greatest(now() + greatest(now() - h.created_at, interval '1 minute'), h.run_at + interval '1 minute')
    FROM held h WHERE k.kind = h.kind AND k.key = h.key
    RETURNING 1
), over AS (
    DELETE FROM pawl.run_key k USING due d
    WHERE k.kind = d.kind AND k.key = d.key AND NOT EXISTS (SELECT FROM held h WHERE h.kind = d.kind AND h.key = d.key)
    RETURNING 1
)
SELECT (SELECT count(*) FROM expired) + (SELECT count(*) FROM over) AS forgotten,
    (SELECT count(*) FROM expired) AS expired, (SELECT count(*) FROM due) AS looked, (SELECT count(*) FROM later) AS later
