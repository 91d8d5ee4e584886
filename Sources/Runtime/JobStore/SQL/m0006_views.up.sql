-- All runs, wherever they are kept. `kind` says where, so that a reader can leave tables out.
CREATE VIEW pawl.run_all AS
SELECT 'live'::text AS kind, id, queue, rank, state, run_at, job, args, max_attempts, created_at, retention, trigger, backoff,
    timeout_ms, title, description, labels, owner, organization, retry_of, schedule_id, planned_at, traceparent, attempt,
    attempts_used, lost_count, outcome, reason, error_code, error_message, error_details, entities_processed, entities_total,
    current_stage, outcome_summary, host_id, pid, version, coalesce(started_at, claimed_at) AS started_at,
    NULL::timestamptz AS finished_at, cancel_requested_at, terminate_requested_at, cancel_reason, NULL::json AS result,
    NULL::bytea AS result_bytes, NULL::text AS result_media_type
FROM pawl.run_live
UNION ALL
SELECT 'waiting', id, queue, rank, state, run_at, job, args, max_attempts, created_at, retention, trigger, backoff,
    timeout_ms, title, description, labels, owner, organization, retry_of, schedule_id, planned_at, traceparent, attempt,
    attempts_used, lost_count, outcome, reason, error_code, error_message, error_details, entities_processed, entities_total,
    current_stage, outcome_summary, host_id, NULL, version, started_at, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM pawl.run_waiting
UNION ALL
SELECT 'finished', id, queue, rank, state, run_at, job, args, max_attempts, created_at, retention, trigger, backoff,
    timeout_ms, title, description, labels, owner, organization, retry_of, schedule_id, planned_at, traceparent, attempt,
    attempts_used, lost_count, outcome, reason, error_code, error_message, error_details, entities_processed, entities_total,
    current_stage, outcome_summary, host_id, pid, version, started_at, finished_at, cancel_requested_at,
    terminate_requested_at, cancel_reason, result, result_bytes, result_media_type
FROM pawl.run;

-- For people: every run with its state, progress and outcome.
CREATE VIEW pawl.runs AS
SELECT id, pawl.run_name(id) AS name, job, queue, -rank AS priority, state, title, description, labels, owner, organization,
    args, created_at, run_at, started_at, finished_at, attempt, attempts_used, max_attempts, outcome, reason, error_code,
    error_message, entities_processed, entities_total, current_stage, outcome_summary, result, version, host_id, trigger,
    retry_of, schedule_id, cancel_requested_at
FROM pawl.run_all;

-- For people: log lines.
CREATE VIEW pawl.logs AS
SELECT run_id, seq, attempt, (ARRAY['debug', 'info', 'warning', 'error'])[level + 1] AS level, stage, message,
    fields AS context, time AS timestamp, (ARRAY['handler', 'stdout', 'stderr', 'host'])[stream + 1] AS stream
FROM pawl.run_log;

-- For people: what each attempt used.
CREATE VIEW pawl.resource_usage AS
SELECT run_id, attempt, job, version, outcome, started_at, ended_at,
    round(extract(epoch FROM ended_at - started_at) * 1000)::bigint AS wall_ms,
    user_cpu_us / 1000 AS user_cpu_ms, system_cpu_us / 1000 AS system_cpu_ms, max_rss_bytes, minor_faults, major_faults,
    blocks_in * 512 AS read_bytes, blocks_out * 512 AS written_bytes, voluntary_switches, involuntary_switches
FROM pawl.attempt;
