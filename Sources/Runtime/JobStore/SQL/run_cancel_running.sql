-- run_cancel_running: asks for the end of a running run, by cancel or terminate, and tells its host. $1 run, $2 reason,
-- $3 grace in ms, $4 'cancel' or 'terminate', $5 actor
WITH before AS (
    SELECT id, attempt, CASE $4 WHEN 'cancel' THEN cancel_requested_at ELSE terminate_requested_at END IS NOT NULL AS repeated
    FROM pawl.run_live WHERE id = $1 AND state = 'running' FOR UPDATE
), asked AS (
    UPDATE pawl.run_live l
    SET cancel_requested_at = CASE $4 WHEN 'cancel' THEN coalesce(l.cancel_requested_at, clock_timestamp()) ELSE l.cancel_requested_at END,
        terminate_requested_at = CASE $4 WHEN 'terminate' THEN coalesce(l.terminate_requested_at, clock_timestamp())
            ELSE l.terminate_requested_at END,
        cancel_reason = coalesce($2, l.cancel_reason), cancel_grace_ms = coalesce($3, l.cancel_grace_ms)
    FROM before WHERE l.id = before.id
    RETURNING l.id, l.host_id, l.attempt, before.repeated
), events AS (
    INSERT INTO pawl.run_event (run_id, attempt, kind, actor, detail)
    SELECT id, attempt, $4 || '_requested', $5, json_build_object('reason', $2::text, 'grace_ms', $3::bigint)
    FROM asked WHERE NOT repeated
), told AS (
    SELECT pg_notify('pawl_host_' || host_id, concat_ws(' ', $4::text, id, attempt, $3::bigint)) FROM asked
)
SELECT asked.host_id, asked.attempt, asked.repeated FROM asked LEFT JOIN told ON true
