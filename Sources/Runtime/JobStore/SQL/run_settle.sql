-- run_settle: ends attempts. Their runs go to history (terminal states) or wait (retrying, scheduled). The DELETE is the
-- guard: an attempt that is not the host's any more is not in the answer.
-- $1 host, $2 epoch, then one array element for each attempt
WITH input AS (
    SELECT * FROM unnest($3::bigint[], $4::bigint[], $5::text[], $6::boolean[], $7::timestamptz[], $8::text[], $9::text[],
        $10::timestamptz[], $11::timestamptz[], $12::bigint[], $13::bigint[], $14::bigint[], $15::text[], $16::text[], $17::text[],
        $18::json[], $19::bigint[], $20::bigint[], $21::bigint[], $22::bigint[], $23::bigint[], $24::bigint[], $25::bigint[],
        $26::bigint[], $27::bigint[], $28::bigint[], $29::bigint[], $30::text[], $31::json[], $32::json[], $33::text[],
        $34::json[], $35::bytea[], $36::text[], $37::text[], $38::bigint[])
    AS i (id, attempt, state, counts, wait_until, outcome, reason, started_at, ended_at, exit_code, signal, pid, version,
        error_code, error_message, error_details, user_cpu_us, system_cpu_us, max_rss_bytes, minor_faults, major_faults,
        blocks_in, blocks_out, voluntary_switches, involuntary_switches, processed, total, stage, summary, detail, sentence,
        result, result_bytes, result_media_type, avoid_version, failed_retention)
), found AS (
    -- One plan, whatever the statistics say: for each element a look into the primary key, then to the row's place.
    SELECT i.*, place.at AS place FROM input i CROSS JOIN LATERAL (
        SELECT l.ctid AS at FROM pawl.run_live l
        WHERE l.id = i.id AND l.attempt = i.attempt AND l.host_id = $1 AND l.host_epoch = $2 LIMIT 1) place
), gone AS (
    -- The guard stands here again: somebody may change the row between the look and the deed.
    DELETE FROM pawl.run_live l USING found i
    WHERE l.ctid = i.place AND l.id + 0 = i.id AND l.attempt = i.attempt AND l.host_id = $1 AND l.host_epoch = $2
    RETURNING l.id, l.queue, l.rank, l.run_at, l.job, l.args, l.max_attempts, l.created_at, l.retention, l.trigger, l.backoff,
        l.timeout_ms, l.title, l.description, l.labels, l.owner, l.organization, l.retry_of, l.schedule_id, l.planned_at,
        l.traceparent, l.attempt, l.attempts_used + i.counts::integer AS attempts_used,
        l.lost_count + (i.outcome = 'lost')::integer AS lost_count, l.claimed_at,
        l.cancel_requested_at, l.terminate_requested_at, l.cancel_reason, l.expires_at,
        coalesce(i.avoid_version, l.avoid_version) AS avoid_version,
        -- An order to end that came after the decision to go on, and before this: the order wins.
        CASE WHEN i.state IN ('retrying', 'scheduled') AND (l.cancel_requested_at IS NOT NULL OR l.terminate_requested_at IS NOT NULL)
            THEN 'cancelled' ELSE i.state END AS state,
        -- An attempt that another follows is kept as long as the run may be.
        CASE WHEN i.state = 'failed' THEN coalesce(i.failed_retention, l.retention)
            WHEN i.state = 'retrying' THEN greatest(i.failed_retention, l.retention) ELSE l.retention END AS kept,
        i.wait_until, i.outcome, i.reason,
        i.started_at, i.ended_at, i.exit_code, i.signal, i.pid, i.version, i.error_code, i.error_message, i.error_details,
        i.user_cpu_us, i.system_cpu_us, i.max_rss_bytes, i.minor_faults, i.major_faults, i.blocks_in, i.blocks_out,
        i.voluntary_switches, i.involuntary_switches, i.processed, i.total, i.stage, i.summary, i.detail, i.sentence, i.result,
        i.result_bytes, i.result_media_type
), history AS (
    INSERT INTO pawl.run (id, queue, rank, state, run_at, job, args, max_attempts, created_at, retention, trigger, backoff,
        timeout_ms, title, description, labels, owner, organization, retry_of, schedule_id, planned_at, traceparent, attempt,
        attempts_used, lost_count, outcome, reason, error_code, error_message, error_details, entities_processed,
        entities_total, current_stage, outcome_summary, host_id, pid, version, started_at, finished_at, cancel_requested_at,
        terminate_requested_at, cancel_reason, result, result_bytes, result_media_type, expires_at)
    SELECT id, queue, rank, state, run_at, job, args, max_attempts, created_at, kept, trigger, backoff, timeout_ms, title,
        description, labels, owner, organization, retry_of, schedule_id, planned_at, traceparent, attempt, attempts_used,
        -- Lost once too often: that is why the run has failed, however the last attempt was lost.
        lost_count, outcome, CASE WHEN outcome = 'lost' AND state = 'failed' THEN 'lost' ELSE reason END, error_code,
        error_message, error_details, processed, total, stage, summary, $1, pid, version, started_at, ended_at,
        cancel_requested_at, terminate_requested_at, cancel_reason, result, result_bytes, result_media_type, expires_at
    FROM gone WHERE state IN ('succeeded', 'failed', 'cancelled')
), waiting AS (
    INSERT INTO pawl.run_waiting (id, queue, rank, state, run_at, job, args, max_attempts, created_at, retention, trigger,
        backoff, timeout_ms, title, description, labels, owner, organization, retry_of, schedule_id, planned_at, traceparent,
        attempt, attempts_used, lost_count, outcome, reason, error_code, error_message, error_details, entities_processed,
        entities_total, current_stage, outcome_summary, host_id, version, started_at, avoid_version)
    SELECT id, queue, rank, state, wait_until, job, args, max_attempts, created_at, retention, trigger, backoff, timeout_ms,
        title, description, labels, owner, organization, retry_of, schedule_id, planned_at, traceparent, attempt,
        attempts_used, lost_count, outcome, reason, error_code, error_message, error_details, processed, total, stage, summary,
        $1, version, started_at, avoid_version
    FROM gone WHERE state IN ('retrying', 'scheduled')
), attempts AS (
    INSERT INTO pawl.attempt (run_id, attempt, retention, ended_at, job, outcome, reason, host_id, host_epoch, pid, version,
        claimed_at, started_at, exit_code, signal, error_code, error_message, error_details, user_cpu_us, system_cpu_us,
        max_rss_bytes, minor_faults, major_faults, blocks_in, blocks_out, voluntary_switches, involuntary_switches,
        entities_processed, entities_total, current_stage, outcome_summary, detail, sentence)
    SELECT id, attempt, kept, ended_at, job, outcome, reason, $1, $2, pid, version, claimed_at, started_at, exit_code,
        signal, error_code, error_message, error_details, user_cpu_us, system_cpu_us, max_rss_bytes, minor_faults,
        major_faults, blocks_in, blocks_out, voluntary_switches, involuntary_switches, processed, total, stage, summary,
        detail, sentence
    FROM gone
), counted AS (
    INSERT INTO pawl.counter_delta (queue, job, state, n, last_run, wait_us, run_us, spans)
    SELECT queue, job, 'running', -count(*), NULL, NULL, NULL, NULL FROM gone GROUP BY 1, 2
    UNION ALL
    -- Microseconds as whole numbers from floats: an interval's epoch as numeric costs more than all else here.
    SELECT queue, job, state, count(*), max(id),
        (sum(date_part('epoch', started_at - run_at)) * 1e6)::bigint,
        (sum(date_part('epoch', ended_at - started_at)) * 1e6)::bigint,
        array_agg(pawl.latency_bucket(started_at - run_at) * 512 + pawl.latency_bucket(ended_at - started_at))
            FILTER (WHERE started_at IS NOT NULL)
    FROM gone GROUP BY 1, 2, 3
)
SELECT id FROM gone
