-- emergency_end_runs: asks for the end of everything that runs, by force, and tells the hosts. $1 actor, $2 reason
WITH running AS MATERIALIZED (
    -- In the order of the runs, as they are settled: nobody waits for us who has what we wait for.
    SELECT id FROM pawl.run_live WHERE state = 'running' AND terminate_requested_at IS NULL ORDER BY id FOR UPDATE
), asked AS (
    UPDATE pawl.run_live l
    SET terminate_requested_at = clock_timestamp(), cancel_reason = coalesce(l.cancel_reason, $2)
    FROM running r WHERE l.id = r.id
    RETURNING l.id, l.host_id, l.attempt
), events AS (
    INSERT INTO pawl.run_event (run_id, attempt, kind, actor, detail)
    SELECT id, attempt, 'terminate_requested', $1, json_build_object('reason', $2::text, 'emergency', true) FROM asked
), told AS (
    SELECT pg_notify('pawl_host_' || host_id, concat_ws(' ', 'terminate', id, attempt)) FROM asked
)
SELECT id, attempt, (SELECT count(*) FROM told) FROM asked
