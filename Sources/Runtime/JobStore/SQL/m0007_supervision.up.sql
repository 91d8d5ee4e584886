-- What supervision needs: queue time, execution settings, crash reports and their groups, quarantine.

-- When a run expires unless it has started before; null: never. Only the wait before the first start counts.
ALTER TABLE pawl.run_live ADD COLUMN expires_at timestamptz;
ALTER TABLE pawl.run_waiting ADD COLUMN expires_at timestamptz;
ALTER TABLE pawl.run ADD COLUMN expires_at timestamptz;
-- Few runs expire, and the sweep comes each second: it must not walk the backlog.
CREATE INDEX run_live_expiry ON pawl.run_live (expires_at) WHERE state = 'queued' AND expires_at IS NOT NULL;

ALTER TABLE pawl.job
    -- the operator's
    ADD COLUMN execution json NOT NULL DEFAULT '{}',
    -- the plugin's
    ADD COLUMN handler_execution json NOT NULL DEFAULT '{}';

-- How long a run of a job may wait for its start, in milliseconds: what the run says, else its job, else its handler.
CREATE FUNCTION pawl.queue_ms(own bigint, limits json, handler_limits json) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    -- Ten years at most, so that no sum overflows. Null and 0: not said. One expression, so that it is no call.
    SELECT CASE WHEN coalesce(own, (limits ->> 'queue_ms')::bigint, (handler_limits ->> 'queue_ms')::bigint) > 0
        THEN least(coalesce(own, (limits ->> 'queue_ms')::bigint, (handler_limits ->> 'queue_ms')::bigint), 315360000000) END
$$;

-- Crashes whose frames are not named yet. Written by the settlement of the attempt, in its transaction.
CREATE TABLE pawl.crash_pending (
    run_id bigint NOT NULL,
    attempt integer NOT NULL,
    retention smallint NOT NULL,
    ended_at timestamptz NOT NULL,
    job text COLLATE "C" NOT NULL,
    version text,
    -- Who has the files that the frames point into.
    host_id bigint NOT NULL,
    PRIMARY KEY (run_id, attempt)
);
CREATE INDEX crash_pending_host ON pawl.crash_pending (host_id, ended_at);

-- One for each crash; that there is only one makes each crash count once.
CREATE TABLE pawl.crash_report (
    run_id bigint NOT NULL,
    attempt integer NOT NULL,
    fingerprint text COLLATE "C" NOT NULL,
    -- Of the crashing thread, innermost first.
    frames json NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- When its attempt's retention is over.
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (run_id, attempt)
);
CREATE INDEX crash_report_group ON pawl.crash_report (fingerprint, run_id, attempt);
CREATE INDEX crash_report_expiry ON pawl.crash_report (expires_at);

-- Crashes with the same stack.
CREATE TABLE pawl.error_group (
    fingerprint text COLLATE "C" PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('crash')),
    title text NOT NULL,
    -- Of the newest.
    job text COLLATE "C" NOT NULL,
    handler text COLLATE "C" NOT NULL,
    plugin text,
    signal integer,
    count bigint NOT NULL DEFAULT 1,
    first_seen_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    first_version text,
    last_version text,
    -- The newest whose report is likely to be there.
    sample_run bigint NOT NULL,
    sample_attempt integer NOT NULL
);
CREATE INDEX error_group_seen ON pawl.error_group (last_seen_at DESC, fingerprint);

-- Versions of handlers that crash so often that they are not served.
CREATE TABLE pawl.quarantine (
    handler text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    since timestamptz NOT NULL,
    -- From then on one run at a time tries it.
    until timestamptz NOT NULL,
    -- How often it was taken out in a row.
    level integer NOT NULL CHECK (level >= 1),
    crashes integer NOT NULL,
    attempts integer NOT NULL,
    reason text NOT NULL,
    -- Which host may try it now, in which of its lives; null: none does.
    trial_host bigint,
    trial_epoch bigint,
    PRIMARY KEY (handler, version)
);

-- As before, with `queue_ms`: how long the run may wait for its start.
CREATE OR REPLACE FUNCTION pawl.enqueue(job text, args json DEFAULT '{}', options jsonb DEFAULT '{}') RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    wanted pawl.job;
    unknown text;
    number bigint;
    due timestamptz;
    expiry timestamptz;
    target text;
    level integer;
BEGIN
    SELECT * INTO wanted FROM pawl.job j WHERE j.name = enqueue.job;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no job %', enqueue.job USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT string_agg(key, ', ') INTO unknown FROM jsonb_object_keys(options) AS key
    WHERE key NOT IN ('queue', 'priority', 'run_at', 'delay_ms', 'attempts', 'backoff', 'timeout_ms', 'queue_ms', 'title',
        'description', 'labels', 'owner', 'organization', 'idempotency_key');
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION 'unknown option %', unknown USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF (options ->> 'attempts')::integer NOT BETWEEN 1 AND 1000 THEN
        RAISE EXCEPTION 'attempts must be 1 to 1000' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF (options ->> 'queue_ms')::bigint < 1 THEN
        RAISE EXCEPTION 'queue_ms must be 1 or more' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF options ? 'idempotency_key' THEN
        INSERT INTO pawl.run_key AS k (kind, key, run_id, expires_at)
        VALUES ('idempotency', options ->> 'idempotency_key', nextval('pawl.run_id'), now() + interval '24 hours')
        ON CONFLICT (kind, key) DO UPDATE SET run_id = excluded.run_id, expires_at = excluded.expires_at, fingerprint = NULL
            WHERE k.expires_at <= now()
        RETURNING k.run_id INTO number;
        IF number IS NULL THEN
            RETURN (SELECT pawl.run_name(k.run_id) FROM pawl.run_key k
                WHERE k.kind = 'idempotency' AND k.key = options ->> 'idempotency_key');
        END IF;
    ELSE
        number := nextval('pawl.run_id');
    END IF;
    target := coalesce(options ->> 'queue', wanted.queue);
    level := -coalesce((options ->> 'priority')::integer, wanted.priority);
    due := coalesce((options ->> 'run_at')::timestamptz, now() + make_interval(secs => (options ->> 'delay_ms')::float8 / 1000), now());
    expiry := due + pawl.queue_ms((options ->> 'queue_ms')::bigint, wanted.limits, wanted.handler_limits) * interval '1 millisecond';
    IF due > now() THEN
        INSERT INTO pawl.run_waiting (id, queue, rank, state, run_at, job, args, max_attempts, created_at, retention, trigger,
            backoff, timeout_ms, title, description, labels, owner, organization, expires_at)
        VALUES (number, target, level, 'scheduled', due, wanted.name, args,
            coalesce((options ->> 'attempts')::integer, wanted.attempts, wanted.handler_attempts, 3), now(), wanted.retention, 'sql',
            options -> 'backoff', (options ->> 'timeout_ms')::bigint, options ->> 'title', options ->> 'description',
            options -> 'labels', options ->> 'owner', options ->> 'organization', expiry);
    ELSE
        INSERT INTO pawl.run_live (id, queue, rank, pos, run_at, job, args, max_attempts, created_at, retention, trigger,
            backoff, timeout_ms, title, description, labels, owner, organization, expires_at)
        VALUES (number, target, level, nextval('pawl.run_pos'), due, wanted.name, args,
            coalesce((options ->> 'attempts')::integer, wanted.attempts, wanted.handler_attempts, 3), now(), wanted.retention, 'sql',
            options -> 'backoff', (options ->> 'timeout_ms')::bigint, options ->> 'title', options ->> 'description',
            options -> 'labels', options ->> 'owner', options ->> 'organization', expiry);
    END IF;
    INSERT INTO pawl.counter_delta (queue, job, state, n)
    VALUES (target, wanted.name, CASE WHEN due > now() THEN 'scheduled' ELSE 'queued' END, 1);
    RETURN pawl.run_name(number);
END
$$;

-- As before, with the expiry kept.
CREATE OR REPLACE FUNCTION pawl.cancel_waiting(number bigint, why text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    gone record;
BEGIN
    DELETE FROM pawl.run_waiting w WHERE w.id = number RETURNING w.* INTO gone;
    IF NOT FOUND THEN
        DELETE FROM pawl.run_live l WHERE l.id = number AND l.state = 'queued' RETURNING l.* INTO gone;
        IF NOT FOUND THEN
            RETURN false;
        END IF;
    END IF;
    INSERT INTO pawl.run (id, queue, rank, state, run_at, job, args, max_attempts, created_at, retention, trigger, backoff,
        timeout_ms, title, description, labels, owner, organization, retry_of, schedule_id, planned_at, traceparent, attempt,
        attempts_used, lost_count, outcome, reason, error_code, error_message, error_details, entities_processed,
        entities_total, current_stage, outcome_summary, host_id, version, started_at, finished_at, cancel_requested_at,
        cancel_reason, expires_at)
    VALUES (gone.id, gone.queue, gone.rank, 'cancelled', gone.run_at, gone.job, gone.args, gone.max_attempts, gone.created_at,
        gone.retention, gone.trigger, gone.backoff, gone.timeout_ms, gone.title, gone.description, gone.labels, gone.owner,
        gone.organization, gone.retry_of, gone.schedule_id, gone.planned_at, gone.traceparent, gone.attempt,
        gone.attempts_used, gone.lost_count, gone.outcome, gone.reason, gone.error_code, gone.error_message,
        gone.error_details, gone.entities_processed, gone.entities_total, gone.current_stage, gone.outcome_summary,
        gone.host_id, gone.version, gone.started_at, clock_timestamp(), clock_timestamp(), why, gone.expires_at);
    INSERT INTO pawl.counter_delta (queue, job, state, n, last_run)
    VALUES (gone.queue, gone.job, gone.state, -1, NULL), (gone.queue, gone.job, 'cancelled', 1, gone.id);
    RETURN true;
END
$$;

CREATE OR REPLACE VIEW pawl.run_all AS
SELECT 'live'::text AS kind, id, queue, rank, state, run_at, job, args, max_attempts, created_at, retention, trigger, backoff,
    timeout_ms, title, description, labels, owner, organization, retry_of, schedule_id, planned_at, traceparent, attempt,
    attempts_used, lost_count, outcome, reason, error_code, error_message, error_details, entities_processed, entities_total,
    current_stage, outcome_summary, host_id, pid, version, coalesce(started_at, claimed_at) AS started_at,
    NULL::timestamptz AS finished_at, cancel_requested_at, terminate_requested_at, cancel_reason, NULL::json AS result,
    NULL::bytea AS result_bytes, NULL::text AS result_media_type, expires_at
FROM pawl.run_live
UNION ALL
SELECT 'waiting', id, queue, rank, state, run_at, job, args, max_attempts, created_at, retention, trigger, backoff,
    timeout_ms, title, description, labels, owner, organization, retry_of, schedule_id, planned_at, traceparent, attempt,
    attempts_used, lost_count, outcome, reason, error_code, error_message, error_details, entities_processed, entities_total,
    current_stage, outcome_summary, host_id, NULL, version, started_at, NULL, NULL, NULL, NULL, NULL, NULL, NULL, expires_at
FROM pawl.run_waiting
UNION ALL
SELECT 'finished', id, queue, rank, state, run_at, job, args, max_attempts, created_at, retention, trigger, backoff,
    timeout_ms, title, description, labels, owner, organization, retry_of, schedule_id, planned_at, traceparent, attempt,
    attempts_used, lost_count, outcome, reason, error_code, error_message, error_details, entities_processed, entities_total,
    current_stage, outcome_summary, host_id, pid, version, started_at, finished_at, cancel_requested_at,
    terminate_requested_at, cancel_reason, result, result_bytes, result_media_type, expires_at
FROM pawl.run;

CREATE OR REPLACE VIEW pawl.runs AS
SELECT id, pawl.run_name(id) AS name, job, queue, -rank AS priority, state, title, description, labels, owner, organization,
    args, created_at, run_at, started_at, finished_at, attempt, attempts_used, max_attempts, outcome, reason, error_code,
    error_message, entities_processed, entities_total, current_stage, outcome_summary, result, version, host_id, trigger,
    retry_of, schedule_id, cancel_requested_at, expires_at
FROM pawl.run_all;

-- For people: groups of crashes, the last seen first.
CREATE VIEW pawl.crashes AS
SELECT fingerprint, title, count, job, handler, plugin, first_seen_at, last_seen_at, first_version, last_version,
    pawl.run_name(sample_run) AS sample_run, sample_attempt
FROM pawl.error_group WHERE kind = 'crash' ORDER BY last_seen_at DESC;
