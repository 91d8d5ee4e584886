-- Safety: what hosts do about runs that run for too long, what everybody must stop doing, and what was done.

-- One row.
CREATE TABLE pawl.safety_policy (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    mode text NOT NULL DEFAULT 'act' CHECK (mode IN ('off', 'report', 'act')),
    outcome text NOT NULL DEFAULT 'fail' CHECK (outcome IN ('fail', 'retry')),
    stale_ms bigint NOT NULL DEFAULT 21600000 CHECK (stale_ms > 0),
    -- From when on a run is stuck: low, medium, high, critical.
    stuck_ms bigint[] NOT NULL DEFAULT '{600000,1800000,3600000,7200000}' CHECK (cardinality(stuck_ms) = 4),
    slow_factor double precision NOT NULL DEFAULT 3 CHECK (slow_factor >= 1),
    idle_ms bigint NOT NULL DEFAULT 600000 CHECK (idle_ms > 0),
    sweep_ms bigint NOT NULL DEFAULT 300000 CHECK (sweep_ms > 0),
    revision bigint NOT NULL DEFAULT 1,
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by text,
    -- When a host last swept for all: who writes it first has the sweep.
    swept_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO pawl.safety_policy DEFAULT VALUES;

-- What was looked at and done, by sweeps and by people.
CREATE TABLE pawl.safety_sweep (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    -- sweep: for all hosts; host: of what is on one machine; the others were ordered.
    kind text NOT NULL CHECK (kind IN ('sweep', 'host', 'cleanup_stale', 'orphans')),
    mode text NOT NULL CHECK (mode IN ('report', 'act')),
    host_id bigint,
    actor text,
    reason text,
    took_ms bigint NOT NULL,
    -- Stale runs, and what became of them.
    stale bigint NOT NULL DEFAULT 0,
    failed bigint NOT NULL DEFAULT 0,
    requeued bigint NOT NULL DEFAULT 0,
    untouched bigint NOT NULL DEFAULT 0,
    -- The first thousand of those that were ended.
    runs bigint[] NOT NULL DEFAULT '{}',
    -- Orphans by kind: found, and put right.
    orphans json,
    cleaned json
);

-- What everybody must stop doing, until it is lifted.
CREATE TABLE pawl.emergency (
    mode text PRIMARY KEY COLLATE "C" CHECK (mode IN ('pause_queues', 'stop_scheduling', 'refuse_new', 'terminate_all')),
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text,
    reason text NOT NULL
);

-- What hosts say of their runs that have been running for a while, for those who judge them; two or three times a minute.
CREATE TABLE pawl.run_pulse (
    run_id bigint PRIMARY KEY,
    attempt integer NOT NULL,
    host_id bigint NOT NULL,
    noted_at timestamptz NOT NULL,
    progressed_at timestamptz NOT NULL,
    -- Its processes used the processor.
    busy_at timestamptz NOT NULL,
    cpu_ms bigint,
    rss_bytes bigint,
    processes integer,
    is_frozen boolean NOT NULL,
    -- When its wall time is over, if it goes on.
    deadline timestamptz
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE INDEX run_pulse_host ON pawl.run_pulse (host_id);

-- Applications are refused too, while nothing is taken from outside.
CREATE OR REPLACE FUNCTION pawl.enqueue(job text, args json DEFAULT '{}', options jsonb DEFAULT '{}') RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    made record;
    near text;
BEGIN
    IF job IS NULL OR args IS NULL OR options IS NULL THEN
        RAISE EXCEPTION 'job, args and options must not be null' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    PERFORM pawl.check_options(options);
    IF EXISTS (SELECT FROM pawl.emergency e WHERE e.mode = 'refuse_new') THEN
        RAISE EXCEPTION 'no new runs are taken: %', (SELECT e.reason FROM pawl.emergency e WHERE e.mode = 'refuse_new')
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF json_typeof(args) <> 'object' THEN
        RAISE EXCEPTION 'args must be an object, not %', json_typeof(args) USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF octet_length(args::text) > 262144 THEN
        RAISE EXCEPTION 'args must have at most 262144 bytes, not %', octet_length(args::text)
            USING ERRCODE = 'program_limit_exceeded';
    END IF;
    SELECT * INTO made FROM pawl.put_run(job, args, options ->> 'queue', (options ->> 'priority')::bigint,
        (options ->> 'run_at')::timestamptz, (options ->> 'delay_ms')::bigint, (options ->> 'attempts')::bigint,
        (options -> 'backoff')::json, (options ->> 'timeout_ms')::bigint, options ->> 'title', options ->> 'description',
        options -> 'labels', options ->> 'owner', options ->> 'organization', NULL, NULL, NULL, 'sql', NULL,
        options ->> 'idempotency_key', CASE WHEN options ? 'idempotency_key'
            THEN encode(sha256(convert_to(concat_ws(E'\n', 'sql', job, args, options), 'UTF8')), 'hex') END,
        (options ->> 'queue_ms')::bigint, options -> 'unique', CASE WHEN options ? 'unique' THEN pawl.unique_key(options -> 'unique',
            job, coalesce(options ->> 'queue', (SELECT j.queue FROM pawl.job j WHERE j.name = job)), options ->> 'owner',
            options ->> 'organization', args) END);
    CASE made.verdict
        WHEN 'no_job' THEN
            SELECT j.name INTO near FROM pawl.job j WHERE lower(j.name) = lower(job) OR j.name LIKE '%.' || job LIMIT 1;
            RAISE EXCEPTION 'no job %', job USING ERRCODE = 'undefined_object',
                HINT = coalesce('Did you mean ' || near || '?', 'SELECT name FROM pawl.job shows all.');
        WHEN 'conflict' THEN
            RAISE EXCEPTION 'the unique key is held by %', pawl.run_name(made.run_id) USING ERRCODE = 'unique_violation',
                DETAIL = pawl.run_name(made.run_id);
        WHEN 'key_reused' THEN
            RAISE EXCEPTION 'the idempotency key was used for another request' USING ERRCODE = 'invalid_parameter_value',
                DETAIL = pawl.run_name(made.run_id);
        ELSE
            RETURN pawl.run_name(made.run_id);
    END CASE;
END
$$;
