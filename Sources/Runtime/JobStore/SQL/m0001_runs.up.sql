-- Runs: live (queued, running), waiting (scheduled, retrying, blocked), history; attempts; keys; counters.
-- `rank` is the negated priority, so that a plain ascending key serves the claim. Retention is a class in days.

CREATE SEQUENCE pawl.run_id;
-- A fresh value each time a run enters its queue: the claim reads on by it.
CREATE SEQUENCE pawl.run_pos;

CREATE TABLE pawl.run_live (
    id bigint PRIMARY KEY,
    queue text COLLATE "C" NOT NULL,
    rank integer NOT NULL,
    pos bigint NOT NULL,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running')),
    run_at timestamptz NOT NULL,
    -- the request
    job text COLLATE "C" NOT NULL,
    args json NOT NULL,
    max_attempts integer NOT NULL,
    created_at timestamptz NOT NULL,
    retention smallint NOT NULL,
    trigger text NOT NULL,
    backoff json,
    timeout_ms bigint,
    title text,
    description text,
    labels jsonb,
    owner text,
    organization text,
    retry_of bigint,
    schedule_id bigint,
    planned_at timestamptz,
    traceparent text,
    -- what happened so far
    attempt integer NOT NULL DEFAULT 0,
    attempts_used integer NOT NULL DEFAULT 0,
    lost_count integer NOT NULL DEFAULT 0,
    outcome text,
    reason text,
    error_code text,
    error_message text,
    error_details json,
    entities_processed bigint,
    entities_total bigint,
    current_stage text,
    outcome_summary json,
    -- the attempt that runs
    host_id bigint,
    host_epoch bigint,
    claimed_at timestamptz,
    started_at timestamptz,
    pid integer,
    version text,
    cancel_requested_at timestamptz,
    terminate_requested_at timestamptz,
    cancel_reason text,
    cancel_grace_ms bigint,
    CHECK ((state = 'running') = (host_id IS NOT NULL))
) WITH (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0,
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 1000000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 100000
);
CREATE INDEX run_live_lane ON pawl.run_live (queue, rank, pos) WHERE state = 'queued';
-- A few rows (slots of all hosts): lists, takeover and the stale sweep must not walk the backlog.
CREATE INDEX run_live_running ON pawl.run_live (id) WHERE state = 'running';

CREATE TABLE pawl.run_waiting (
    id bigint PRIMARY KEY,
    queue text COLLATE "C" NOT NULL,
    rank integer NOT NULL,
    state text NOT NULL CHECK (state IN ('scheduled', 'retrying', 'blocked')),
    run_at timestamptz NOT NULL,
    job text COLLATE "C" NOT NULL,
    args json NOT NULL,
    max_attempts integer NOT NULL,
    created_at timestamptz NOT NULL,
    retention smallint NOT NULL,
    trigger text NOT NULL,
    backoff json,
    timeout_ms bigint,
    title text,
    description text,
    labels jsonb,
    owner text,
    organization text,
    retry_of bigint,
    schedule_id bigint,
    planned_at timestamptz,
    traceparent text,
    attempt integer NOT NULL DEFAULT 0,
    attempts_used integer NOT NULL DEFAULT 0,
    lost_count integer NOT NULL DEFAULT 0,
    outcome text,
    reason text,
    error_code text,
    error_message text,
    error_details json,
    entities_processed bigint,
    entities_total bigint,
    current_stage text,
    outcome_summary json,
    host_id bigint,
    version text,
    started_at timestamptz
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX run_waiting_due ON pawl.run_waiting (run_at, id) WHERE state <> 'blocked';

CREATE TABLE pawl.run (
    id bigint NOT NULL,
    queue text COLLATE "C" NOT NULL,
    rank integer NOT NULL,
    state text NOT NULL CHECK (state IN ('succeeded', 'failed', 'cancelled')),
    run_at timestamptz NOT NULL,
    job text COLLATE "C" NOT NULL,
    args json NOT NULL,
    max_attempts integer NOT NULL,
    created_at timestamptz NOT NULL,
    retention smallint NOT NULL CHECK (retention IN (1, 7, 30, 90, 365)),
    trigger text NOT NULL,
    backoff json,
    timeout_ms bigint,
    title text,
    description text,
    labels jsonb,
    owner text,
    organization text,
    retry_of bigint,
    schedule_id bigint,
    planned_at timestamptz,
    traceparent text,
    attempt integer NOT NULL,
    attempts_used integer NOT NULL,
    lost_count integer NOT NULL,
    outcome text,
    reason text,
    error_code text,
    error_message text,
    error_details json,
    entities_processed bigint,
    entities_total bigint,
    current_stage text,
    outcome_summary json,
    host_id bigint,
    pid integer,
    version text,
    started_at timestamptz,
    finished_at timestamptz NOT NULL,
    cancel_requested_at timestamptz,
    terminate_requested_at timestamptz,
    cancel_reason text,
    result json,
    result_bytes bytea,
    result_media_type text,
    PRIMARY KEY (id, retention, finished_at)
) PARTITION BY LIST (retention);

CREATE TABLE pawl.attempt (
    run_id bigint NOT NULL,
    attempt integer NOT NULL,
    retention smallint NOT NULL CHECK (retention IN (1, 7, 30, 90, 365)),
    ended_at timestamptz NOT NULL,
    job text COLLATE "C" NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('succeeded', 'error', 'crashed', 'timed_out', 'out_of_memory', 'cancelled',
        'terminated', 'lost', 'snoozed')),
    reason text,
    host_id bigint,
    host_epoch bigint,
    pid integer,
    version text,
    claimed_at timestamptz,
    started_at timestamptz,
    exit_code integer,
    signal integer,
    error_code text,
    error_message text,
    error_details json,
    user_cpu_us bigint NOT NULL DEFAULT 0,
    system_cpu_us bigint NOT NULL DEFAULT 0,
    max_rss_bytes bigint NOT NULL DEFAULT 0,
    minor_faults bigint NOT NULL DEFAULT 0,
    major_faults bigint NOT NULL DEFAULT 0,
    blocks_in bigint NOT NULL DEFAULT 0,
    blocks_out bigint NOT NULL DEFAULT 0,
    voluntary_switches bigint NOT NULL DEFAULT 0,
    involuntary_switches bigint NOT NULL DEFAULT 0,
    entities_processed bigint,
    entities_total bigint,
    current_stage text,
    outcome_summary json,
    -- crash record, ladder, head and tail of the output, what was dropped
    detail json,
    sentence text,
    PRIMARY KEY (run_id, attempt, retention, ended_at)
) PARTITION BY LIST (retention);

-- Keys that make two requests one. A partition's unique index could not span retention classes and times.
CREATE TABLE pawl.run_key (
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('idempotency', 'unique')),
    key text COLLATE "C" NOT NULL,
    run_id bigint NOT NULL,
    fingerprint text,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (kind, key)
);
CREATE INDEX run_key_expiry ON pawl.run_key (expires_at);

-- How many runs are where: each change appends its differences, a host folds them together every second.
CREATE TABLE pawl.counter_delta (
    queue text COLLATE "C" NOT NULL,
    job text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    n bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    run_ms bigint,
    last_run bigint
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);

CREATE TABLE pawl.run_counter (
    queue text COLLATE "C" NOT NULL,
    job text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    n bigint NOT NULL,
    last_at timestamptz NOT NULL,
    last_run bigint,
    PRIMARY KEY (queue, job, state)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- Finished runs by the minute.
CREATE TABLE pawl.run_minute (
    minute timestamptz NOT NULL,
    queue text COLLATE "C" NOT NULL,
    job text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    n bigint NOT NULL,
    run_ms bigint NOT NULL,
    PRIMARY KEY (minute, queue, job, state)
) WITH (fillfactor = 70);
