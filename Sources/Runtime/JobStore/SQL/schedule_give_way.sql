-- schedule_give_way: asks for the end of runs that run, as run_cancel_running, and tells their hosts. $1 runs, $2 for each 'cancel' or
-- 'terminate', $3 reason
WITH before AS MATERIALIZED (
    SELECT l.id, l.attempt, i.action,
        CASE i.action WHEN 'cancel' THEN l.cancel_requested_at ELSE l.terminate_requested_at END IS NOT NULL AS repeated
    FROM unnest($1::bigint[], $2::text[]) AS i (id, action) JOIN pawl.run_live l ON l.id = i.id
    -- In the order of the runs, as they are settled.
    WHERE l.state = 'running' ORDER BY l.id FOR UPDATE OF l
), asked AS (
    UPDATE pawl.run_live l
    SET cancel_requested_at = CASE b.action WHEN 'cancel' THEN coalesce(l.cancel_requested_at, clock_timestamp())
            ELSE l.cancel_requested_at END,
        terminate_requested_at = CASE b.action WHEN 'terminate' THEN coalesce(l.terminate_requested_at, clock_timestamp())
            ELSE l.terminate_requested_at END,
        cancel_reason = $3
    FROM before b WHERE l.id = b.id
    RETURNING l.id, l.host_id, l.attempt, b.action, b.repeated
), events AS (
    INSERT INTO pawl.run_event (run_id, attempt, kind, actor, detail)
    SELECT id, attempt, action || '_requested', 'schedule', json_build_object('reason', $3::text, 'grace_ms', NULL)
    FROM asked WHERE NOT repeated
), told AS (
    SELECT pg_notify('pawl_host_' || host_id, concat_ws(' ', action, id, attempt)) FROM asked
)
SELECT asked.id, (SELECT count(*) FROM told) FROM asked
