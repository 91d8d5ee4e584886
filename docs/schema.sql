--
-- PostgreSQL database dump
--

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: pawl; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA pawl;

--
-- Name: cancel(text, text); Type: FUNCTION; Schema: pawl; Owner: -
--

CREATE FUNCTION pawl.cancel(run text, why text DEFAULT NULL::text) RETURNS text
    LANGUAGE plpgsql
    AS $$
DECLARE
    number bigint := pawl.run_number(run);
    running record;
BEGIN
    -- Between two looks it may have moved from one table to the other.
    FOR look IN 1..5 LOOP
        IF pawl.cancel_waiting(number, why) THEN
            RETURN 'cancelled';
        END IF;
        UPDATE pawl.run_live l SET cancel_requested_at = coalesce(l.cancel_requested_at, clock_timestamp()), cancel_reason = why
        WHERE l.id = number AND l.state = 'running' RETURNING l.host_id, l.attempt INTO running;
        IF FOUND THEN
            PERFORM pg_notify('pawl_host_' || running.host_id, 'cancel ' || number || ' ' || running.attempt);
            RETURN 'requested';
        END IF;
        IF EXISTS (SELECT FROM pawl.run r WHERE r.id = number) THEN
            RETURN 'finished';
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;

--
-- Name: cancel_waiting(bigint, text); Type: FUNCTION; Schema: pawl; Owner: -
--

CREATE FUNCTION pawl.cancel_waiting(number bigint, why text) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
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

--
-- Name: drop_partitions(timestamp with time zone); Type: FUNCTION; Schema: pawl; Owner: -
--

CREATE FUNCTION pawl.drop_partitions(at timestamp with time zone) RETURNS integer
    LANGUAGE plpgsql
    AS $_$
DECLARE
    old record;
    dropped integer := 0;
BEGIN
    PERFORM set_config('lock_timeout', '2s', true);
    FOR old IN
        SELECT p.name, p.parent FROM pawl.partition p JOIN pawl.partition_plan USING (parent)
        WHERE p.upper <= at - make_interval(days => keep_days)
    LOOP
        EXECUTE format('DROP TABLE pawl.%I', old.name);
        DELETE FROM pawl.partition WHERE name = old.name;
        dropped := dropped + 1;
    END LOOP;
    FOR old IN SELECT parent, keep_days, time_column FROM pawl.partition_plan LOOP
        EXECUTE format('DELETE FROM pawl.%I WHERE %I < $1 - make_interval(days => $2)', old.parent || '_default', old.time_column)
            USING at, old.keep_days;
    END LOOP;
    RETURN dropped;
END
$_$;

--
-- Name: enqueue(text, json, jsonb); Type: FUNCTION; Schema: pawl; Owner: -
--

CREATE FUNCTION pawl.enqueue(job text, args json DEFAULT '{}'::json, options jsonb DEFAULT '{}'::jsonb) RETURNS text
    LANGUAGE plpgsql
    AS $$
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

--
-- Name: failed_retention(text, smallint); Type: FUNCTION; Schema: pawl; Owner: -
--

CREATE FUNCTION pawl.failed_retention(job text, own smallint) RETURNS smallint
    LANGUAGE sql STABLE
    AS $$
    SELECT coalesce((SELECT j.retention_failed FROM pawl.job j WHERE j.name = failed_retention.job), own)
$$;

--
-- Name: make_partitions(timestamp with time zone); Type: FUNCTION; Schema: pawl; Owner: -
--

CREATE FUNCTION pawl.make_partitions(at timestamp with time zone) RETURNS integer
    LANGUAGE plpgsql
    AS $$
DECLARE
    plan record;
    day integer;
    low timestamptz;
    high timestamptz;
    child text;
    made integer := 0;
BEGIN
    -- Attaching waits for readers of the default partition; those behind us must not wait long for that.
    PERFORM set_config('lock_timeout', '2s', true);
    FOR plan IN SELECT * FROM pawl.partition_plan LOOP
        FOR step IN 0..2 LOOP
            day := (floor(extract(epoch FROM at) / 86400)::integer / plan.width_days + step) * plan.width_days;
            low := to_timestamp(day * 86400::bigint);
            high := to_timestamp((day + plan.width_days) * 86400::bigint);
            child := plan.parent || '_' || to_char(low AT TIME ZONE 'UTC', 'YYYYMMDD');
            CONTINUE WHEN EXISTS (SELECT FROM pawl.partition WHERE name = child);
            BEGIN
                EXECUTE format('CREATE TABLE pawl.%I (LIKE pawl.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', child, plan.parent);
                EXECUTE format('ALTER TABLE pawl.%I ATTACH PARTITION pawl.%I FOR VALUES FROM (%L) TO (%L)',
                    plan.parent, child, low, high);
                INSERT INTO pawl.partition VALUES (child, plan.parent, low, high);
                made := made + 1;
            EXCEPTION WHEN check_violation THEN
                NULL;
            END;
        END LOOP;
    END LOOP;
    RETURN made;
END
$$;

--
-- Name: queue_ms(bigint, json, json); Type: FUNCTION; Schema: pawl; Owner: -
--

CREATE FUNCTION pawl.queue_ms(own bigint, limits json, handler_limits json) RETURNS bigint
    LANGUAGE sql IMMUTABLE
    AS $$
    -- Ten years at most, so that no sum overflows. Null and 0: not said. One expression, so that it is no call.
    SELECT CASE WHEN coalesce(own, (limits ->> 'queue_ms')::bigint, (handler_limits ->> 'queue_ms')::bigint) > 0
        THEN least(coalesce(own, (limits ->> 'queue_ms')::bigint, (handler_limits ->> 'queue_ms')::bigint), 315360000000) END
$$;

--
-- Name: run_name(bigint); Type: FUNCTION; Schema: pawl; Owner: -
--

CREATE FUNCTION pawl.run_name(number bigint) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
    SELECT 'run_' || string_agg(substr('0123456789abcdefghjkmnpqrstvwxyz', ((number >> (5 * (12 - i))) & 31)::integer + 1, 1), '' ORDER BY i)
    FROM generate_series(0, 12) AS i
$$;

--
-- Name: run_number(text); Type: FUNCTION; Schema: pawl; Owner: -
--

CREATE FUNCTION pawl.run_number(name text) RETURNS bigint
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $_$
    SELECT CASE WHEN lower(name) ~ '^run_[0-7][0-9a-tv-z]{12}$' THEN (
        SELECT sum((strpos('0123456789abcdefghjkmnpqrstvwxyz', translate(substr(lower(name), 5 + i, 1), 'ilo', '110')) - 1)::numeric
            * (32::numeric ^ (12 - i)))::bigint
        FROM generate_series(0, 12) AS i) END
$_$;

--
-- Name: wake(); Type: FUNCTION; Schema: pawl; Owner: -
--

CREATE FUNCTION pawl.wake() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF EXISTS (SELECT FROM pawl.sleeper WHERE queue IN (NEW.queue, '*')) THEN
        PERFORM pg_notify('pawl_wake', NEW.queue);
    END IF;
    RETURN NULL;
END
$$;

SET default_tablespace = '';

--
-- Name: attempt; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.attempt (
    run_id bigint NOT NULL,
    attempt integer NOT NULL,
    retention smallint NOT NULL,
    ended_at timestamp with time zone NOT NULL,
    job text NOT NULL COLLATE pg_catalog."C",
    outcome text NOT NULL,
    reason text,
    host_id bigint,
    host_epoch bigint,
    pid integer,
    version text,
    claimed_at timestamp with time zone,
    started_at timestamp with time zone,
    exit_code integer,
    signal integer,
    error_code text,
    error_message text,
    error_details json,
    user_cpu_us bigint DEFAULT 0 NOT NULL,
    system_cpu_us bigint DEFAULT 0 NOT NULL,
    max_rss_bytes bigint DEFAULT 0 NOT NULL,
    minor_faults bigint DEFAULT 0 NOT NULL,
    major_faults bigint DEFAULT 0 NOT NULL,
    blocks_in bigint DEFAULT 0 NOT NULL,
    blocks_out bigint DEFAULT 0 NOT NULL,
    voluntary_switches bigint DEFAULT 0 NOT NULL,
    involuntary_switches bigint DEFAULT 0 NOT NULL,
    entities_processed bigint,
    entities_total bigint,
    current_stage text,
    outcome_summary json,
    detail json,
    sentence text,
    CONSTRAINT attempt_outcome_check CHECK ((outcome = ANY (ARRAY['succeeded'::text, 'error'::text, 'crashed'::text, 'timed_out'::text, 'out_of_memory'::text, 'cancelled'::text, 'terminated'::text, 'lost'::text, 'snoozed'::text]))),
    CONSTRAINT attempt_retention_check CHECK ((retention = ANY (ARRAY[1, 7, 30, 90, 365])))
)
PARTITION BY LIST (retention);

--
-- Name: attempt_1; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.attempt_1 (
    run_id bigint NOT NULL,
    attempt integer NOT NULL,
    retention smallint NOT NULL,
    ended_at timestamp with time zone NOT NULL,
    job text NOT NULL COLLATE pg_catalog."C",
    outcome text NOT NULL,
    reason text,
    host_id bigint,
    host_epoch bigint,
    pid integer,
    version text,
    claimed_at timestamp with time zone,
    started_at timestamp with time zone,
    exit_code integer,
    signal integer,
    error_code text,
    error_message text,
    error_details json,
    user_cpu_us bigint DEFAULT 0 NOT NULL,
    system_cpu_us bigint DEFAULT 0 NOT NULL,
    max_rss_bytes bigint DEFAULT 0 NOT NULL,
    minor_faults bigint DEFAULT 0 NOT NULL,
    major_faults bigint DEFAULT 0 NOT NULL,
    blocks_in bigint DEFAULT 0 NOT NULL,
    blocks_out bigint DEFAULT 0 NOT NULL,
    voluntary_switches bigint DEFAULT 0 NOT NULL,
    involuntary_switches bigint DEFAULT 0 NOT NULL,
    entities_processed bigint,
    entities_total bigint,
    current_stage text,
    outcome_summary json,
    detail json,
    sentence text,
    CONSTRAINT attempt_outcome_check CHECK ((outcome = ANY (ARRAY['succeeded'::text, 'error'::text, 'crashed'::text, 'timed_out'::text, 'out_of_memory'::text, 'cancelled'::text, 'terminated'::text, 'lost'::text, 'snoozed'::text]))),
    CONSTRAINT attempt_retention_check CHECK ((retention = ANY (ARRAY[1, 7, 30, 90, 365])))
)
PARTITION BY RANGE (ended_at);

SET default_table_access_method = heap;

--
-- Name: attempt_1_default; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.attempt_1_default (
    run_id bigint NOT NULL,
    attempt integer NOT NULL,
    retention smallint NOT NULL,
    ended_at timestamp with time zone NOT NULL,
    job text NOT NULL COLLATE pg_catalog."C",
    outcome text NOT NULL,
    reason text,
    host_id bigint,
    host_epoch bigint,
    pid integer,
    version text,
    claimed_at timestamp with time zone,
    started_at timestamp with time zone,
    exit_code integer,
    signal integer,
    error_code text,
    error_message text,
    error_details json,
    user_cpu_us bigint DEFAULT 0 NOT NULL,
    system_cpu_us bigint DEFAULT 0 NOT NULL,
    max_rss_bytes bigint DEFAULT 0 NOT NULL,
    minor_faults bigint DEFAULT 0 NOT NULL,
    major_faults bigint DEFAULT 0 NOT NULL,
    blocks_in bigint DEFAULT 0 NOT NULL,
    blocks_out bigint DEFAULT 0 NOT NULL,
    voluntary_switches bigint DEFAULT 0 NOT NULL,
    involuntary_switches bigint DEFAULT 0 NOT NULL,
    entities_processed bigint,
    entities_total bigint,
    current_stage text,
    outcome_summary json,
    detail json,
    sentence text,
    CONSTRAINT attempt_outcome_check CHECK ((outcome = ANY (ARRAY['succeeded'::text, 'error'::text, 'crashed'::text, 'timed_out'::text, 'out_of_memory'::text, 'cancelled'::text, 'terminated'::text, 'lost'::text, 'snoozed'::text]))),
    CONSTRAINT attempt_retention_check CHECK ((retention = ANY (ARRAY[1, 7, 30, 90, 365])))
);

--
-- Name: attempt_30; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.attempt_30 (
    run_id bigint NOT NULL,
    attempt integer NOT NULL,
    retention smallint NOT NULL,
    ended_at timestamp with time zone NOT NULL,
    job text NOT NULL COLLATE pg_catalog."C",
    outcome text NOT NULL,
    reason text,
    host_id bigint,
    host_epoch bigint,
    pid integer,
    version text,
    claimed_at timestamp with time zone,
    started_at timestamp with time zone,
    exit_code integer,
    signal integer,
    error_code text,
    error_message text,
    error_details json,
    user_cpu_us bigint DEFAULT 0 NOT NULL,
    system_cpu_us bigint DEFAULT 0 NOT NULL,
    max_rss_bytes bigint DEFAULT 0 NOT NULL,
    minor_faults bigint DEFAULT 0 NOT NULL,
    major_faults bigint DEFAULT 0 NOT NULL,
    blocks_in bigint DEFAULT 0 NOT NULL,
    blocks_out bigint DEFAULT 0 NOT NULL,
    voluntary_switches bigint DEFAULT 0 NOT NULL,
    involuntary_switches bigint DEFAULT 0 NOT NULL,
    entities_processed bigint,
    entities_total bigint,
    current_stage text,
    outcome_summary json,
    detail json,
    sentence text,
    CONSTRAINT attempt_outcome_check CHECK ((outcome = ANY (ARRAY['succeeded'::text, 'error'::text, 'crashed'::text, 'timed_out'::text, 'out_of_memory'::text, 'cancelled'::text, 'terminated'::text, 'lost'::text, 'snoozed'::text]))),
    CONSTRAINT attempt_retention_check CHECK ((retention = ANY (ARRAY[1, 7, 30, 90, 365])))
)
PARTITION BY RANGE (ended_at);

--
-- Name: attempt_30_default; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.attempt_30_default (
    run_id bigint NOT NULL,
    attempt integer NOT NULL,
    retention smallint NOT NULL,
    ended_at timestamp with time zone NOT NULL,
    job text NOT NULL COLLATE pg_catalog."C",
    outcome text NOT NULL,
    reason text,
    host_id bigint,
    host_epoch bigint,
    pid integer,
    version text,
    claimed_at timestamp with time zone,
    started_at timestamp with time zone,
    exit_code integer,
    signal integer,
    error_code text,
    error_message text,
    error_details json,
    user_cpu_us bigint DEFAULT 0 NOT NULL,
    system_cpu_us bigint DEFAULT 0 NOT NULL,
    max_rss_bytes bigint DEFAULT 0 NOT NULL,
    minor_faults bigint DEFAULT 0 NOT NULL,
    major_faults bigint DEFAULT 0 NOT NULL,
    blocks_in bigint DEFAULT 0 NOT NULL,
    blocks_out bigint DEFAULT 0 NOT NULL,
    voluntary_switches bigint DEFAULT 0 NOT NULL,
    involuntary_switches bigint DEFAULT 0 NOT NULL,
    entities_processed bigint,
    entities_total bigint,
    current_stage text,
    outcome_summary json,
    detail json,
    sentence text,
    CONSTRAINT attempt_outcome_check CHECK ((outcome = ANY (ARRAY['succeeded'::text, 'error'::text, 'crashed'::text, 'timed_out'::text, 'out_of_memory'::text, 'cancelled'::text, 'terminated'::text, 'lost'::text, 'snoozed'::text]))),
    CONSTRAINT attempt_retention_check CHECK ((retention = ANY (ARRAY[1, 7, 30, 90, 365])))
);

--
-- Name: attempt_365; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.attempt_365 (
    run_id bigint NOT NULL,
    attempt integer NOT NULL,
    retention smallint NOT NULL,
    ended_at timestamp with time zone NOT NULL,
    job text NOT NULL COLLATE pg_catalog."C",
    outcome text NOT NULL,
    reason text,
    host_id bigint,
    host_epoch bigint,
    pid integer,
    version text,
    claimed_at timestamp with time zone,
    started_at timestamp with time zone,
    exit_code integer,
    signal integer,
    error_code text,
    error_message text,
    error_details json,
    user_cpu_us bigint DEFAULT 0 NOT NULL,
    system_cpu_us bigint DEFAULT 0 NOT NULL,
    max_rss_bytes bigint DEFAULT 0 NOT NULL,
    minor_faults bigint DEFAULT 0 NOT NULL,
    major_faults bigint DEFAULT 0 NOT NULL,
    blocks_in bigint DEFAULT 0 NOT NULL,
    blocks_out bigint DEFAULT 0 NOT NULL,
    voluntary_switches bigint DEFAULT 0 NOT NULL,
    involuntary_switches bigint DEFAULT 0 NOT NULL,
    entities_processed bigint,
    entities_total bigint,
    current_stage text,
    outcome_summary json,
    detail json,
    sentence text,
    CONSTRAINT attempt_outcome_check CHECK ((outcome = ANY (ARRAY['succeeded'::text, 'error'::text, 'crashed'::text, 'timed_out'::text, 'out_of_memory'::text, 'cancelled'::text, 'terminated'::text, 'lost'::text, 'snoozed'::text]))),
    CONSTRAINT attempt_retention_check CHECK ((retention = ANY (ARRAY[1, 7, 30, 90, 365])))
)
PARTITION BY RANGE (ended_at);

--
-- Name: attempt_365_default; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.attempt_365_default (
    run_id bigint NOT NULL,
    attempt integer NOT NULL,
    retention smallint NOT NULL,
    ended_at timestamp with time zone NOT NULL,
    job text NOT NULL COLLATE pg_catalog."C",
    outcome text NOT NULL,
    reason text,
    host_id bigint,
    host_epoch bigint,
    pid integer,
    version text,
    claimed_at timestamp with time zone,
    started_at timestamp with time zone,
    exit_code integer,
    signal integer,
    error_code text,
    error_message text,
    error_details json,
    user_cpu_us bigint DEFAULT 0 NOT NULL,
    system_cpu_us bigint DEFAULT 0 NOT NULL,
    max_rss_bytes bigint DEFAULT 0 NOT NULL,
    minor_faults bigint DEFAULT 0 NOT NULL,
    major_faults bigint DEFAULT 0 NOT NULL,
    blocks_in bigint DEFAULT 0 NOT NULL,
    blocks_out bigint DEFAULT 0 NOT NULL,
    voluntary_switches bigint DEFAULT 0 NOT NULL,
    involuntary_switches bigint DEFAULT 0 NOT NULL,
    entities_processed bigint,
    entities_total bigint,
    current_stage text,
    outcome_summary json,
    detail json,
    sentence text,
    CONSTRAINT attempt_outcome_check CHECK ((outcome = ANY (ARRAY['succeeded'::text, 'error'::text, 'crashed'::text, 'timed_out'::text, 'out_of_memory'::text, 'cancelled'::text, 'terminated'::text, 'lost'::text, 'snoozed'::text]))),
    CONSTRAINT attempt_retention_check CHECK ((retention = ANY (ARRAY[1, 7, 30, 90, 365])))
);

--
-- Name: attempt_7; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.attempt_7 (
    run_id bigint NOT NULL,
    attempt integer NOT NULL,
    retention smallint NOT NULL,
    ended_at timestamp with time zone NOT NULL,
    job text NOT NULL COLLATE pg_catalog."C",
    outcome text NOT NULL,
    reason text,
    host_id bigint,
    host_epoch bigint,
    pid integer,
    version text,
    claimed_at timestamp with time zone,
    started_at timestamp with time zone,
    exit_code integer,
    signal integer,
    error_code text,
    error_message text,
    error_details json,
    user_cpu_us bigint DEFAULT 0 NOT NULL,
    system_cpu_us bigint DEFAULT 0 NOT NULL,
    max_rss_bytes bigint DEFAULT 0 NOT NULL,
    minor_faults bigint DEFAULT 0 NOT NULL,
    major_faults bigint DEFAULT 0 NOT NULL,
    blocks_in bigint DEFAULT 0 NOT NULL,
    blocks_out bigint DEFAULT 0 NOT NULL,
    voluntary_switches bigint DEFAULT 0 NOT NULL,
    involuntary_switches bigint DEFAULT 0 NOT NULL,
    entities_processed bigint,
    entities_total bigint,
    current_stage text,
    outcome_summary json,
    detail json,
    sentence text,
    CONSTRAINT attempt_outcome_check CHECK ((outcome = ANY (ARRAY['succeeded'::text, 'error'::text, 'crashed'::text, 'timed_out'::text, 'out_of_memory'::text, 'cancelled'::text, 'terminated'::text, 'lost'::text, 'snoozed'::text]))),
    CONSTRAINT attempt_retention_check CHECK ((retention = ANY (ARRAY[1, 7, 30, 90, 365])))
)
PARTITION BY RANGE (ended_at);

--
-- Name: attempt_7_default; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.attempt_7_default (
    run_id bigint NOT NULL,
    attempt integer NOT NULL,
    retention smallint NOT NULL,
    ended_at timestamp with time zone NOT NULL,
    job text NOT NULL COLLATE pg_catalog."C",
    outcome text NOT NULL,
    reason text,
    host_id bigint,
    host_epoch bigint,
    pid integer,
    version text,
    claimed_at timestamp with time zone,
    started_at timestamp with time zone,
    exit_code integer,
    signal integer,
    error_code text,
    error_message text,
    error_details json,
    user_cpu_us bigint DEFAULT 0 NOT NULL,
    system_cpu_us bigint DEFAULT 0 NOT NULL,
    max_rss_bytes bigint DEFAULT 0 NOT NULL,
    minor_faults bigint DEFAULT 0 NOT NULL,
    major_faults bigint DEFAULT 0 NOT NULL,
    blocks_in bigint DEFAULT 0 NOT NULL,
    blocks_out bigint DEFAULT 0 NOT NULL,
    voluntary_switches bigint DEFAULT 0 NOT NULL,
    involuntary_switches bigint DEFAULT 0 NOT NULL,
    entities_processed bigint,
    entities_total bigint,
    current_stage text,
    outcome_summary json,
    detail json,
    sentence text,
    CONSTRAINT attempt_outcome_check CHECK ((outcome = ANY (ARRAY['succeeded'::text, 'error'::text, 'crashed'::text, 'timed_out'::text, 'out_of_memory'::text, 'cancelled'::text, 'terminated'::text, 'lost'::text, 'snoozed'::text]))),
    CONSTRAINT attempt_retention_check CHECK ((retention = ANY (ARRAY[1, 7, 30, 90, 365])))
);

--
-- Name: attempt_90; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.attempt_90 (
    run_id bigint NOT NULL,
    attempt integer NOT NULL,
    retention smallint NOT NULL,
    ended_at timestamp with time zone NOT NULL,
    job text NOT NULL COLLATE pg_catalog."C",
    outcome text NOT NULL,
    reason text,
    host_id bigint,
    host_epoch bigint,
    pid integer,
    version text,
    claimed_at timestamp with time zone,
    started_at timestamp with time zone,
    exit_code integer,
    signal integer,
    error_code text,
    error_message text,
    error_details json,
    user_cpu_us bigint DEFAULT 0 NOT NULL,
    system_cpu_us bigint DEFAULT 0 NOT NULL,
    max_rss_bytes bigint DEFAULT 0 NOT NULL,
    minor_faults bigint DEFAULT 0 NOT NULL,
    major_faults bigint DEFAULT 0 NOT NULL,
    blocks_in bigint DEFAULT 0 NOT NULL,
    blocks_out bigint DEFAULT 0 NOT NULL,
    voluntary_switches bigint DEFAULT 0 NOT NULL,
    involuntary_switches bigint DEFAULT 0 NOT NULL,
    entities_processed bigint,
    entities_total bigint,
    current_stage text,
    outcome_summary json,
    detail json,
    sentence text,
    CONSTRAINT attempt_outcome_check CHECK ((outcome = ANY (ARRAY['succeeded'::text, 'error'::text, 'crashed'::text, 'timed_out'::text, 'out_of_memory'::text, 'cancelled'::text, 'terminated'::text, 'lost'::text, 'snoozed'::text]))),
    CONSTRAINT attempt_retention_check CHECK ((retention = ANY (ARRAY[1, 7, 30, 90, 365])))
)
PARTITION BY RANGE (ended_at);

--
-- Name: attempt_90_default; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.attempt_90_default (
    run_id bigint NOT NULL,
    attempt integer NOT NULL,
    retention smallint NOT NULL,
    ended_at timestamp with time zone NOT NULL,
    job text NOT NULL COLLATE pg_catalog."C",
    outcome text NOT NULL,
    reason text,
    host_id bigint,
    host_epoch bigint,
    pid integer,
    version text,
    claimed_at timestamp with time zone,
    started_at timestamp with time zone,
    exit_code integer,
    signal integer,
    error_code text,
    error_message text,
    error_details json,
    user_cpu_us bigint DEFAULT 0 NOT NULL,
    system_cpu_us bigint DEFAULT 0 NOT NULL,
    max_rss_bytes bigint DEFAULT 0 NOT NULL,
    minor_faults bigint DEFAULT 0 NOT NULL,
    major_faults bigint DEFAULT 0 NOT NULL,
    blocks_in bigint DEFAULT 0 NOT NULL,
    blocks_out bigint DEFAULT 0 NOT NULL,
    voluntary_switches bigint DEFAULT 0 NOT NULL,
    involuntary_switches bigint DEFAULT 0 NOT NULL,
    entities_processed bigint,
    entities_total bigint,
    current_stage text,
    outcome_summary json,
    detail json,
    sentence text,
    CONSTRAINT attempt_outcome_check CHECK ((outcome = ANY (ARRAY['succeeded'::text, 'error'::text, 'crashed'::text, 'timed_out'::text, 'out_of_memory'::text, 'cancelled'::text, 'terminated'::text, 'lost'::text, 'snoozed'::text]))),
    CONSTRAINT attempt_retention_check CHECK ((retention = ANY (ARRAY[1, 7, 30, 90, 365])))
);

--
-- Name: audit; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.audit (
    id bigint NOT NULL,
    "time" timestamp with time zone DEFAULT now() NOT NULL,
    actor text,
    action text NOT NULL,
    target text NOT NULL,
    detail json
);

--
-- Name: audit_id_seq; Type: SEQUENCE; Schema: pawl; Owner: -
--

ALTER TABLE pawl.audit ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME pawl.audit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: counter_delta; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.counter_delta (
    queue text NOT NULL COLLATE pg_catalog."C",
    job text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL COLLATE pg_catalog."C",
    n bigint NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    run_ms bigint,
    last_run bigint
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='2000', autovacuum_vacuum_cost_delay='0');

--
-- Name: crash_pending; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.crash_pending (
    run_id bigint NOT NULL,
    attempt integer NOT NULL,
    retention smallint NOT NULL,
    ended_at timestamp with time zone NOT NULL,
    job text NOT NULL COLLATE pg_catalog."C",
    version text,
    host_id bigint NOT NULL
);

--
-- Name: crash_report; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.crash_report (
    run_id bigint NOT NULL,
    attempt integer NOT NULL,
    fingerprint text NOT NULL COLLATE pg_catalog."C",
    frames json NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL
);

--
-- Name: error_group; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.error_group (
    fingerprint text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL,
    title text NOT NULL,
    job text NOT NULL COLLATE pg_catalog."C",
    handler text NOT NULL COLLATE pg_catalog."C",
    plugin text,
    signal integer,
    count bigint DEFAULT 1 NOT NULL,
    first_seen_at timestamp with time zone NOT NULL,
    last_seen_at timestamp with time zone NOT NULL,
    first_version text,
    last_version text,
    sample_run bigint NOT NULL,
    sample_attempt integer NOT NULL,
    CONSTRAINT error_group_kind_check CHECK ((kind = 'crash'::text))
);

--
-- Name: crashes; Type: VIEW; Schema: pawl; Owner: -
--

CREATE VIEW pawl.crashes AS
 SELECT error_group.fingerprint,
    error_group.title,
    error_group.count,
    error_group.job,
    error_group.handler,
    error_group.plugin,
    error_group.first_seen_at,
    error_group.last_seen_at,
    error_group.first_version,
    error_group.last_version,
    pawl.run_name(error_group.sample_run) AS sample_run,
    error_group.sample_attempt
   FROM pawl.error_group
  WHERE (error_group.kind = 'crash'::text)
  ORDER BY error_group.last_seen_at DESC;

--
-- Name: follow_up; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.follow_up (
    parent bigint NOT NULL,
    number integer NOT NULL,
    child bigint NOT NULL,
    job text NOT NULL COLLATE pg_catalog."C",
    expires_at timestamp with time zone NOT NULL
);

--
-- Name: holding; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.holding (
    id bigint NOT NULL,
    kind text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    host_id bigint NOT NULL,
    host_epoch bigint NOT NULL,
    taken_at timestamp with time zone DEFAULT now() NOT NULL,
    ended_at timestamp with time zone,
    end_reason text,
    CONSTRAINT holding_end_reason_check CHECK ((end_reason = ANY (ARRAY['restarted'::text, 'silent'::text, 'stopped'::text, 'shared'::text]))),
    CONSTRAINT holding_kind_check CHECK ((kind = ANY (ARRAY['queue'::text, 'role'::text])))
);

--
-- Name: holding_id_seq; Type: SEQUENCE; Schema: pawl; Owner: -
--

ALTER TABLE pawl.holding ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME pawl.holding_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: host; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.host (
    id bigint NOT NULL,
    data_directory_id text NOT NULL,
    epoch bigint DEFAULT 1 NOT NULL,
    hostname text NOT NULL,
    pid integer NOT NULL,
    version text NOT NULL,
    git_sha text,
    slots integer NOT NULL,
    capabilities json DEFAULT '{}'::json NOT NULL,
    state text DEFAULT 'running'::text NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    heartbeat_at timestamp with time zone DEFAULT now() NOT NULL,
    stopped_at timestamp with time zone,
    heartbeat_ms bigint DEFAULT 10000 NOT NULL,
    CONSTRAINT host_heartbeat_ms_check CHECK ((heartbeat_ms > 0)),
    CONSTRAINT host_state_check CHECK ((state = ANY (ARRAY['running'::text, 'stopping'::text, 'stopped'::text, 'silent'::text])))
);

--
-- Name: host_id_seq; Type: SEQUENCE; Schema: pawl; Owner: -
--

ALTER TABLE pawl.host ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME pawl.host_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: job; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.job (
    name text NOT NULL COLLATE pg_catalog."C",
    handler text NOT NULL COLLATE pg_catalog."C",
    plugin text,
    description text,
    args_schema json,
    result_schema json,
    queue text DEFAULT 'default'::text NOT NULL COLLATE pg_catalog."C",
    priority integer DEFAULT 0 NOT NULL,
    attempts integer,
    backoff json,
    limits json DEFAULT '{}'::json NOT NULL,
    handler_limits json DEFAULT '{}'::json NOT NULL,
    handler_attempts integer,
    retention smallint DEFAULT 30 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    revision bigint DEFAULT 1 NOT NULL,
    execution json DEFAULT '{}'::json NOT NULL,
    handler_execution json DEFAULT '{}'::json NOT NULL,
    retention_failed smallint,
    CONSTRAINT job_attempts_check CHECK (((attempts >= 1) AND (attempts <= 1000))),
    CONSTRAINT job_retention_check CHECK ((retention = ANY (ARRAY[1, 7, 30, 90, 365]))),
    CONSTRAINT job_retention_failed_check CHECK ((retention_failed = ANY (ARRAY[1, 7, 30, 90, 365])))
);

--
-- Name: run_log; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_log (
    run_id bigint NOT NULL,
    seq bigint NOT NULL,
    attempt integer NOT NULL,
    "time" timestamp with time zone NOT NULL,
    stream smallint NOT NULL,
    level smallint NOT NULL,
    stage text,
    message text NOT NULL,
    fields json,
    CONSTRAINT run_log_level_check CHECK (((level >= 0) AND (level <= 3))),
    CONSTRAINT run_log_stream_check CHECK (((stream >= 0) AND (stream <= 3)))
)
PARTITION BY RANGE ("time");

--
-- Name: log_line; Type: VIEW; Schema: pawl; Owner: -
--

CREATE VIEW pawl.log_line AS
 SELECT run_log.run_id,
    run_log.seq,
    run_log.attempt,
    run_log."time",
    run_log.stream,
    run_log.level,
    run_log.stage,
    run_log.message,
    run_log.fields
   FROM pawl.run_log
UNION ALL
 SELECT a.run_id,
    ((a.attempt * (1000000000)::bigint) + 1) AS seq,
    a.attempt,
    a.ended_at AS "time",
    (3)::smallint AS stream,
    (1)::smallint AS level,
    NULL::text AS stage,
    a.sentence AS message,
    NULL::json AS fields
   FROM pawl.attempt a
  WHERE ((a.outcome = 'succeeded'::text) AND (a.sentence = 'It succeeded.'::text) AND (( SELECT l.seq
           FROM pawl.run_log l
          WHERE ((l.run_id = a.run_id) AND (l.seq > (a.attempt * (1000000000)::bigint)) AND (l.seq <= ((a.attempt * (1000000000)::bigint) + 999999999)) AND (l."time" >= (COALESCE(a.claimed_at, '-infinity'::timestamp with time zone) - '1 day'::interval)))
          ORDER BY l.seq
         LIMIT 1) IS NULL));

--
-- Name: logs; Type: VIEW; Schema: pawl; Owner: -
--

CREATE VIEW pawl.logs AS
 SELECT log_line.run_id,
    log_line.seq,
    log_line.attempt,
    (ARRAY['debug'::text, 'info'::text, 'warning'::text, 'error'::text])[(log_line.level + 1)] AS level,
    log_line.stage,
    log_line.message,
    log_line.fields AS context,
    log_line."time" AS "timestamp",
    (ARRAY['handler'::text, 'stdout'::text, 'stderr'::text, 'host'::text])[(log_line.stream + 1)] AS stream
   FROM pawl.log_line;

--
-- Name: migration; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.migration (
    number integer NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    breaking boolean NOT NULL,
    program text,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);

--
-- Name: partition; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.partition (
    name text NOT NULL,
    parent text NOT NULL,
    lower timestamp with time zone NOT NULL,
    upper timestamp with time zone NOT NULL
);

--
-- Name: partition_plan; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.partition_plan (
    parent text NOT NULL,
    width_days integer NOT NULL,
    keep_days integer NOT NULL,
    time_column text NOT NULL
);

--
-- Name: plugin; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.plugin (
    name text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    active text COLLATE pg_catalog."C",
    previous text COLLATE pg_catalog."C",
    older text COLLATE pg_catalog."C",
    canary jsonb,
    disabled boolean DEFAULT false NOT NULL,
    pinned boolean DEFAULT false NOT NULL,
    revision bigint DEFAULT 0 NOT NULL,
    changed_at timestamp with time zone,
    changed_by text,
    origin_host bigint,
    reason text
);

--
-- Name: plugin_blob; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.plugin_blob (
    sha256 text NOT NULL COLLATE pg_catalog."C",
    size_bytes bigint NOT NULL,
    parts integer NOT NULL,
    configuration text,
    signature bytea,
    complete boolean DEFAULT false NOT NULL,
    stored_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT plugin_blob_parts_check CHECK ((parts >= 1)),
    CONSTRAINT plugin_blob_size_bytes_check CHECK (((size_bytes >= 1) AND (size_bytes <= 268435456)))
);

--
-- Name: plugin_blob_part; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.plugin_blob_part (
    sha256 text NOT NULL COLLATE pg_catalog."C",
    part integer NOT NULL,
    bytes bytea NOT NULL
);
ALTER TABLE ONLY pawl.plugin_blob_part ALTER COLUMN bytes SET STORAGE EXTERNAL;

--
-- Name: plugin_event; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.plugin_event (
    id bigint NOT NULL,
    plugin text NOT NULL COLLATE pg_catalog."C",
    sha256 text COLLATE pg_catalog."C",
    host_id bigint,
    at timestamp with time zone DEFAULT now() NOT NULL,
    kind text NOT NULL,
    detail json
);

--
-- Name: plugin_event_id_seq; Type: SEQUENCE; Schema: pawl; Owner: -
--

ALTER TABLE pawl.plugin_event ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME pawl.plugin_event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: plugin_host; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.plugin_host (
    host_id bigint NOT NULL,
    plugin text NOT NULL COLLATE pg_catalog."C",
    sha256 text COLLATE pg_catalog."C",
    candidate text COLLATE pg_catalog."C",
    state text NOT NULL,
    problem text,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

--
-- Name: plugin_version; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.plugin_version (
    sha256 text NOT NULL COLLATE pg_catalog."C",
    plugin text NOT NULL,
    label text,
    abi text,
    size_bytes bigint NOT NULL,
    manifest json,
    first_seen_at timestamp with time zone DEFAULT now() NOT NULL,
    last_active_at timestamp with time zone,
    kind text DEFAULT 'native'::text NOT NULL,
    file_name text,
    build_id text,
    source text DEFAULT 'directory'::text NOT NULL,
    uploaded_by text,
    signed_by text,
    state text DEFAULT 'usable'::text NOT NULL,
    problem text,
    CONSTRAINT plugin_version_kind_check CHECK ((kind = ANY (ARRAY['native'::text, 'ffi'::text]))),
    CONSTRAINT plugin_version_sha256_check CHECK ((sha256 ~ '^[0-9a-f]{64}$'::text)),
    CONSTRAINT plugin_version_source_check CHECK ((source = ANY (ARRAY['directory'::text, 'upload'::text]))),
    CONSTRAINT plugin_version_state_check CHECK ((state = ANY (ARRAY['usable'::text, 'rejected'::text, 'removed'::text])))
);

--
-- Name: quarantine; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.quarantine (
    handler text NOT NULL COLLATE pg_catalog."C",
    version text NOT NULL COLLATE pg_catalog."C",
    since timestamp with time zone NOT NULL,
    until timestamp with time zone NOT NULL,
    level integer NOT NULL,
    crashes integer NOT NULL,
    attempts integer NOT NULL,
    reason text NOT NULL,
    trial_host bigint,
    trial_epoch bigint,
    CONSTRAINT quarantine_level_check CHECK ((level >= 1))
);

--
-- Name: queue; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.queue (
    name text NOT NULL COLLATE pg_catalog."C",
    paused_at timestamp with time zone,
    pause_reason text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    exclusive boolean DEFAULT false NOT NULL
);

--
-- Name: resource_usage; Type: VIEW; Schema: pawl; Owner: -
--

CREATE VIEW pawl.resource_usage AS
 SELECT attempt.run_id,
    attempt.attempt,
    attempt.job,
    attempt.version,
    attempt.outcome,
    attempt.started_at,
    attempt.ended_at,
    (round((EXTRACT(epoch FROM (attempt.ended_at - attempt.started_at)) * (1000)::numeric)))::bigint AS wall_ms,
    (attempt.user_cpu_us / 1000) AS user_cpu_ms,
    (attempt.system_cpu_us / 1000) AS system_cpu_ms,
    attempt.max_rss_bytes,
    attempt.minor_faults,
    attempt.major_faults,
    (attempt.blocks_in * 512) AS read_bytes,
    (attempt.blocks_out * 512) AS written_bytes,
    attempt.voluntary_switches,
    attempt.involuntary_switches
   FROM pawl.attempt;

--
-- Name: run; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run (
    id bigint NOT NULL,
    queue text NOT NULL COLLATE pg_catalog."C",
    rank integer NOT NULL,
    state text NOT NULL,
    run_at timestamp with time zone NOT NULL,
    job text NOT NULL COLLATE pg_catalog."C",
    args json NOT NULL,
    max_attempts integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
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
    planned_at timestamp with time zone,
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
    started_at timestamp with time zone,
    finished_at timestamp with time zone NOT NULL,
    cancel_requested_at timestamp with time zone,
    terminate_requested_at timestamp with time zone,
    cancel_reason text,
    result json,
    result_bytes bytea,
    result_media_type text,
    expires_at timestamp with time zone,
    CONSTRAINT run_retention_check CHECK ((retention = ANY (ARRAY[1, 7, 30, 90, 365]))),
    CONSTRAINT run_state_check CHECK ((state = ANY (ARRAY['succeeded'::text, 'failed'::text, 'cancelled'::text])))
)
PARTITION BY LIST (retention);

--
-- Name: run_1; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_1 (
    id bigint NOT NULL,
    queue text NOT NULL COLLATE pg_catalog."C",
    rank integer NOT NULL,
    state text NOT NULL,
    run_at timestamp with time zone NOT NULL,
    job text NOT NULL COLLATE pg_catalog."C",
    args json NOT NULL,
    max_attempts integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
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
    planned_at timestamp with time zone,
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
    started_at timestamp with time zone,
    finished_at timestamp with time zone NOT NULL,
    cancel_requested_at timestamp with time zone,
    terminate_requested_at timestamp with time zone,
    cancel_reason text,
    result json,
    result_bytes bytea,
    result_media_type text,
    expires_at timestamp with time zone,
    CONSTRAINT run_retention_check CHECK ((retention = ANY (ARRAY[1, 7, 30, 90, 365]))),
    CONSTRAINT run_state_check CHECK ((state = ANY (ARRAY['succeeded'::text, 'failed'::text, 'cancelled'::text])))
)
PARTITION BY RANGE (finished_at);

--
-- Name: run_1_default; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_1_default (
    id bigint NOT NULL,
    queue text NOT NULL COLLATE pg_catalog."C",
    rank integer NOT NULL,
    state text NOT NULL,
    run_at timestamp with time zone NOT NULL,
    job text NOT NULL COLLATE pg_catalog."C",
    args json NOT NULL,
    max_attempts integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
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
    planned_at timestamp with time zone,
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
    started_at timestamp with time zone,
    finished_at timestamp with time zone NOT NULL,
    cancel_requested_at timestamp with time zone,
    terminate_requested_at timestamp with time zone,
    cancel_reason text,
    result json,
    result_bytes bytea,
    result_media_type text,
    expires_at timestamp with time zone,
    CONSTRAINT run_retention_check CHECK ((retention = ANY (ARRAY[1, 7, 30, 90, 365]))),
    CONSTRAINT run_state_check CHECK ((state = ANY (ARRAY['succeeded'::text, 'failed'::text, 'cancelled'::text])))
);

--
-- Name: run_30; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_30 (
    id bigint NOT NULL,
    queue text NOT NULL COLLATE pg_catalog."C",
    rank integer NOT NULL,
    state text NOT NULL,
    run_at timestamp with time zone NOT NULL,
    job text NOT NULL COLLATE pg_catalog."C",
    args json NOT NULL,
    max_attempts integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
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
    planned_at timestamp with time zone,
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
    started_at timestamp with time zone,
    finished_at timestamp with time zone NOT NULL,
    cancel_requested_at timestamp with time zone,
    terminate_requested_at timestamp with time zone,
    cancel_reason text,
    result json,
    result_bytes bytea,
    result_media_type text,
    expires_at timestamp with time zone,
    CONSTRAINT run_retention_check CHECK ((retention = ANY (ARRAY[1, 7, 30, 90, 365]))),
    CONSTRAINT run_state_check CHECK ((state = ANY (ARRAY['succeeded'::text, 'failed'::text, 'cancelled'::text])))
)
PARTITION BY RANGE (finished_at);

--
-- Name: run_30_default; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_30_default (
    id bigint NOT NULL,
    queue text NOT NULL COLLATE pg_catalog."C",
    rank integer NOT NULL,
    state text NOT NULL,
    run_at timestamp with time zone NOT NULL,
    job text NOT NULL COLLATE pg_catalog."C",
    args json NOT NULL,
    max_attempts integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
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
    planned_at timestamp with time zone,
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
    started_at timestamp with time zone,
    finished_at timestamp with time zone NOT NULL,
    cancel_requested_at timestamp with time zone,
    terminate_requested_at timestamp with time zone,
    cancel_reason text,
    result json,
    result_bytes bytea,
    result_media_type text,
    expires_at timestamp with time zone,
    CONSTRAINT run_retention_check CHECK ((retention = ANY (ARRAY[1, 7, 30, 90, 365]))),
    CONSTRAINT run_state_check CHECK ((state = ANY (ARRAY['succeeded'::text, 'failed'::text, 'cancelled'::text])))
);

--
-- Name: run_365; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_365 (
    id bigint NOT NULL,
    queue text NOT NULL COLLATE pg_catalog."C",
    rank integer NOT NULL,
    state text NOT NULL,
    run_at timestamp with time zone NOT NULL,
    job text NOT NULL COLLATE pg_catalog."C",
    args json NOT NULL,
    max_attempts integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
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
    planned_at timestamp with time zone,
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
    started_at timestamp with time zone,
    finished_at timestamp with time zone NOT NULL,
    cancel_requested_at timestamp with time zone,
    terminate_requested_at timestamp with time zone,
    cancel_reason text,
    result json,
    result_bytes bytea,
    result_media_type text,
    expires_at timestamp with time zone,
    CONSTRAINT run_retention_check CHECK ((retention = ANY (ARRAY[1, 7, 30, 90, 365]))),
    CONSTRAINT run_state_check CHECK ((state = ANY (ARRAY['succeeded'::text, 'failed'::text, 'cancelled'::text])))
)
PARTITION BY RANGE (finished_at);

--
-- Name: run_365_default; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_365_default (
    id bigint NOT NULL,
    queue text NOT NULL COLLATE pg_catalog."C",
    rank integer NOT NULL,
    state text NOT NULL,
    run_at timestamp with time zone NOT NULL,
    job text NOT NULL COLLATE pg_catalog."C",
    args json NOT NULL,
    max_attempts integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
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
    planned_at timestamp with time zone,
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
    started_at timestamp with time zone,
    finished_at timestamp with time zone NOT NULL,
    cancel_requested_at timestamp with time zone,
    terminate_requested_at timestamp with time zone,
    cancel_reason text,
    result json,
    result_bytes bytea,
    result_media_type text,
    expires_at timestamp with time zone,
    CONSTRAINT run_retention_check CHECK ((retention = ANY (ARRAY[1, 7, 30, 90, 365]))),
    CONSTRAINT run_state_check CHECK ((state = ANY (ARRAY['succeeded'::text, 'failed'::text, 'cancelled'::text])))
);

--
-- Name: run_7; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_7 (
    id bigint NOT NULL,
    queue text NOT NULL COLLATE pg_catalog."C",
    rank integer NOT NULL,
    state text NOT NULL,
    run_at timestamp with time zone NOT NULL,
    job text NOT NULL COLLATE pg_catalog."C",
    args json NOT NULL,
    max_attempts integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
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
    planned_at timestamp with time zone,
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
    started_at timestamp with time zone,
    finished_at timestamp with time zone NOT NULL,
    cancel_requested_at timestamp with time zone,
    terminate_requested_at timestamp with time zone,
    cancel_reason text,
    result json,
    result_bytes bytea,
    result_media_type text,
    expires_at timestamp with time zone,
    CONSTRAINT run_retention_check CHECK ((retention = ANY (ARRAY[1, 7, 30, 90, 365]))),
    CONSTRAINT run_state_check CHECK ((state = ANY (ARRAY['succeeded'::text, 'failed'::text, 'cancelled'::text])))
)
PARTITION BY RANGE (finished_at);

--
-- Name: run_7_default; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_7_default (
    id bigint NOT NULL,
    queue text NOT NULL COLLATE pg_catalog."C",
    rank integer NOT NULL,
    state text NOT NULL,
    run_at timestamp with time zone NOT NULL,
    job text NOT NULL COLLATE pg_catalog."C",
    args json NOT NULL,
    max_attempts integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
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
    planned_at timestamp with time zone,
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
    started_at timestamp with time zone,
    finished_at timestamp with time zone NOT NULL,
    cancel_requested_at timestamp with time zone,
    terminate_requested_at timestamp with time zone,
    cancel_reason text,
    result json,
    result_bytes bytea,
    result_media_type text,
    expires_at timestamp with time zone,
    CONSTRAINT run_retention_check CHECK ((retention = ANY (ARRAY[1, 7, 30, 90, 365]))),
    CONSTRAINT run_state_check CHECK ((state = ANY (ARRAY['succeeded'::text, 'failed'::text, 'cancelled'::text])))
);

--
-- Name: run_90; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_90 (
    id bigint NOT NULL,
    queue text NOT NULL COLLATE pg_catalog."C",
    rank integer NOT NULL,
    state text NOT NULL,
    run_at timestamp with time zone NOT NULL,
    job text NOT NULL COLLATE pg_catalog."C",
    args json NOT NULL,
    max_attempts integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
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
    planned_at timestamp with time zone,
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
    started_at timestamp with time zone,
    finished_at timestamp with time zone NOT NULL,
    cancel_requested_at timestamp with time zone,
    terminate_requested_at timestamp with time zone,
    cancel_reason text,
    result json,
    result_bytes bytea,
    result_media_type text,
    expires_at timestamp with time zone,
    CONSTRAINT run_retention_check CHECK ((retention = ANY (ARRAY[1, 7, 30, 90, 365]))),
    CONSTRAINT run_state_check CHECK ((state = ANY (ARRAY['succeeded'::text, 'failed'::text, 'cancelled'::text])))
)
PARTITION BY RANGE (finished_at);

--
-- Name: run_90_default; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_90_default (
    id bigint NOT NULL,
    queue text NOT NULL COLLATE pg_catalog."C",
    rank integer NOT NULL,
    state text NOT NULL,
    run_at timestamp with time zone NOT NULL,
    job text NOT NULL COLLATE pg_catalog."C",
    args json NOT NULL,
    max_attempts integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
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
    planned_at timestamp with time zone,
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
    started_at timestamp with time zone,
    finished_at timestamp with time zone NOT NULL,
    cancel_requested_at timestamp with time zone,
    terminate_requested_at timestamp with time zone,
    cancel_reason text,
    result json,
    result_bytes bytea,
    result_media_type text,
    expires_at timestamp with time zone,
    CONSTRAINT run_retention_check CHECK ((retention = ANY (ARRAY[1, 7, 30, 90, 365]))),
    CONSTRAINT run_state_check CHECK ((state = ANY (ARRAY['succeeded'::text, 'failed'::text, 'cancelled'::text])))
);

--
-- Name: run_live; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_live (
    id bigint NOT NULL,
    queue text NOT NULL COLLATE pg_catalog."C",
    rank integer NOT NULL,
    pos bigint NOT NULL,
    state text DEFAULT 'queued'::text NOT NULL,
    run_at timestamp with time zone NOT NULL,
    job text NOT NULL COLLATE pg_catalog."C",
    args json NOT NULL,
    max_attempts integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
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
    planned_at timestamp with time zone,
    traceparent text,
    attempt integer DEFAULT 0 NOT NULL,
    attempts_used integer DEFAULT 0 NOT NULL,
    lost_count integer DEFAULT 0 NOT NULL,
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
    host_epoch bigint,
    claimed_at timestamp with time zone,
    started_at timestamp with time zone,
    pid integer,
    version text,
    cancel_requested_at timestamp with time zone,
    terminate_requested_at timestamp with time zone,
    cancel_reason text,
    cancel_grace_ms bigint,
    expires_at timestamp with time zone,
    avoid_version text,
    CONSTRAINT run_live_check CHECK (((state = 'running'::text) = (host_id IS NOT NULL))),
    CONSTRAINT run_live_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'running'::text])))
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='20000', autovacuum_vacuum_cost_delay='0', autovacuum_vacuum_insert_scale_factor='0', autovacuum_vacuum_insert_threshold='1000000', autovacuum_analyze_scale_factor='0', autovacuum_analyze_threshold='100000');

--
-- Name: run_waiting; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_waiting (
    id bigint NOT NULL,
    queue text NOT NULL COLLATE pg_catalog."C",
    rank integer NOT NULL,
    state text NOT NULL,
    run_at timestamp with time zone NOT NULL,
    job text NOT NULL COLLATE pg_catalog."C",
    args json NOT NULL,
    max_attempts integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
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
    planned_at timestamp with time zone,
    traceparent text,
    attempt integer DEFAULT 0 NOT NULL,
    attempts_used integer DEFAULT 0 NOT NULL,
    lost_count integer DEFAULT 0 NOT NULL,
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
    started_at timestamp with time zone,
    expires_at timestamp with time zone,
    avoid_version text,
    CONSTRAINT run_waiting_state_check CHECK ((state = ANY (ARRAY['scheduled'::text, 'retrying'::text, 'blocked'::text])))
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='20000', autovacuum_vacuum_cost_delay='0');

--
-- Name: run_all; Type: VIEW; Schema: pawl; Owner: -
--

CREATE VIEW pawl.run_all AS
 SELECT 'live'::text AS kind,
    run_live.id,
    run_live.queue,
    run_live.rank,
    run_live.state,
    run_live.run_at,
    run_live.job,
    run_live.args,
    run_live.max_attempts,
    run_live.created_at,
    run_live.retention,
    run_live.trigger,
    run_live.backoff,
    run_live.timeout_ms,
    run_live.title,
    run_live.description,
    run_live.labels,
    run_live.owner,
    run_live.organization,
    run_live.retry_of,
    run_live.schedule_id,
    run_live.planned_at,
    run_live.traceparent,
    run_live.attempt,
    run_live.attempts_used,
    run_live.lost_count,
    run_live.outcome,
    run_live.reason,
    run_live.error_code,
    run_live.error_message,
    run_live.error_details,
    run_live.entities_processed,
    run_live.entities_total,
    run_live.current_stage,
    run_live.outcome_summary,
    run_live.host_id,
    run_live.pid,
    run_live.version,
    COALESCE(run_live.started_at, run_live.claimed_at) AS started_at,
    NULL::timestamp with time zone AS finished_at,
    run_live.cancel_requested_at,
    run_live.terminate_requested_at,
    run_live.cancel_reason,
    NULL::json AS result,
    NULL::bytea AS result_bytes,
    NULL::text AS result_media_type,
    run_live.expires_at
   FROM pawl.run_live
UNION ALL
 SELECT 'waiting'::text AS kind,
    run_waiting.id,
    run_waiting.queue,
    run_waiting.rank,
    run_waiting.state,
    run_waiting.run_at,
    run_waiting.job,
    run_waiting.args,
    run_waiting.max_attempts,
    run_waiting.created_at,
    run_waiting.retention,
    run_waiting.trigger,
    run_waiting.backoff,
    run_waiting.timeout_ms,
    run_waiting.title,
    run_waiting.description,
    run_waiting.labels,
    run_waiting.owner,
    run_waiting.organization,
    run_waiting.retry_of,
    run_waiting.schedule_id,
    run_waiting.planned_at,
    run_waiting.traceparent,
    run_waiting.attempt,
    run_waiting.attempts_used,
    run_waiting.lost_count,
    run_waiting.outcome,
    run_waiting.reason,
    run_waiting.error_code,
    run_waiting.error_message,
    run_waiting.error_details,
    run_waiting.entities_processed,
    run_waiting.entities_total,
    run_waiting.current_stage,
    run_waiting.outcome_summary,
    run_waiting.host_id,
    NULL::integer AS pid,
    run_waiting.version,
    run_waiting.started_at,
    NULL::timestamp with time zone AS finished_at,
    NULL::timestamp with time zone AS cancel_requested_at,
    NULL::timestamp with time zone AS terminate_requested_at,
    NULL::text AS cancel_reason,
    NULL::json AS result,
    NULL::bytea AS result_bytes,
    NULL::text AS result_media_type,
    run_waiting.expires_at
   FROM pawl.run_waiting
UNION ALL
 SELECT 'finished'::text AS kind,
    run.id,
    run.queue,
    run.rank,
    run.state,
    run.run_at,
    run.job,
    run.args,
    run.max_attempts,
    run.created_at,
    run.retention,
    run.trigger,
    run.backoff,
    run.timeout_ms,
    run.title,
    run.description,
    run.labels,
    run.owner,
    run.organization,
    run.retry_of,
    run.schedule_id,
    run.planned_at,
    run.traceparent,
    run.attempt,
    run.attempts_used,
    run.lost_count,
    run.outcome,
    run.reason,
    run.error_code,
    run.error_message,
    run.error_details,
    run.entities_processed,
    run.entities_total,
    run.current_stage,
    run.outcome_summary,
    run.host_id,
    run.pid,
    run.version,
    run.started_at,
    run.finished_at,
    run.cancel_requested_at,
    run.terminate_requested_at,
    run.cancel_reason,
    run.result,
    run.result_bytes,
    run.result_media_type,
    run.expires_at
   FROM pawl.run;

--
-- Name: run_counter; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_counter (
    queue text NOT NULL COLLATE pg_catalog."C",
    job text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL COLLATE pg_catalog."C",
    n bigint NOT NULL,
    last_at timestamp with time zone NOT NULL,
    last_run bigint
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='1000');

--
-- Name: run_event_id; Type: SEQUENCE; Schema: pawl; Owner: -
--

CREATE SEQUENCE pawl.run_event_id
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

--
-- Name: run_event; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_event (
    id bigint DEFAULT nextval('pawl.run_event_id'::regclass) NOT NULL,
    "time" timestamp with time zone DEFAULT now() NOT NULL,
    run_id bigint NOT NULL,
    attempt integer,
    kind text NOT NULL,
    actor text,
    detail json
)
PARTITION BY RANGE ("time");

--
-- Name: run_event_default; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_event_default (
    id bigint DEFAULT nextval('pawl.run_event_id'::regclass) NOT NULL,
    "time" timestamp with time zone DEFAULT now() NOT NULL,
    run_id bigint NOT NULL,
    attempt integer,
    kind text NOT NULL,
    actor text,
    detail json
);

--
-- Name: run_id; Type: SEQUENCE; Schema: pawl; Owner: -
--

CREATE SEQUENCE pawl.run_id
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

--
-- Name: run_key; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_key (
    kind text NOT NULL COLLATE pg_catalog."C",
    key text NOT NULL COLLATE pg_catalog."C",
    run_id bigint NOT NULL,
    fingerprint text,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT run_key_kind_check CHECK ((kind = ANY (ARRAY['idempotency'::text, 'unique'::text])))
);

--
-- Name: run_log_default; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_log_default (
    run_id bigint NOT NULL,
    seq bigint NOT NULL,
    attempt integer NOT NULL,
    "time" timestamp with time zone NOT NULL,
    stream smallint NOT NULL,
    level smallint NOT NULL,
    stage text,
    message text NOT NULL,
    fields json,
    CONSTRAINT run_log_level_check CHECK (((level >= 0) AND (level <= 3))),
    CONSTRAINT run_log_stream_check CHECK (((stream >= 0) AND (stream <= 3)))
);

--
-- Name: run_log_index; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_log_index (
    run_id bigint NOT NULL,
    attempt integer NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    lines bigint NOT NULL,
    debug bigint NOT NULL,
    info bigint NOT NULL,
    warning bigint NOT NULL,
    error bigint NOT NULL,
    "time" timestamp with time zone DEFAULT now() NOT NULL
)
PARTITION BY RANGE ("time");

--
-- Name: run_log_index_default; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_log_index_default (
    run_id bigint NOT NULL,
    attempt integer NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    lines bigint NOT NULL,
    debug bigint NOT NULL,
    info bigint NOT NULL,
    warning bigint NOT NULL,
    error bigint NOT NULL,
    "time" timestamp with time zone DEFAULT now() NOT NULL
);

--
-- Name: run_minute; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_minute (
    minute timestamp with time zone NOT NULL,
    queue text NOT NULL COLLATE pg_catalog."C",
    job text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL COLLATE pg_catalog."C",
    n bigint NOT NULL,
    run_ms bigint NOT NULL
)
WITH (fillfactor='70');

--
-- Name: run_pos; Type: SEQUENCE; Schema: pawl; Owner: -
--

CREATE SEQUENCE pawl.run_pos
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

--
-- Name: runs; Type: VIEW; Schema: pawl; Owner: -
--

CREATE VIEW pawl.runs AS
 SELECT run_all.id,
    pawl.run_name(run_all.id) AS name,
    run_all.job,
    run_all.queue,
    (- run_all.rank) AS priority,
    run_all.state,
    run_all.title,
    run_all.description,
    run_all.labels,
    run_all.owner,
    run_all.organization,
    run_all.args,
    run_all.created_at,
    run_all.run_at,
    run_all.started_at,
    run_all.finished_at,
    run_all.attempt,
    run_all.attempts_used,
    run_all.max_attempts,
    run_all.outcome,
    run_all.reason,
    run_all.error_code,
    run_all.error_message,
    run_all.entities_processed,
    run_all.entities_total,
    run_all.current_stage,
    run_all.outcome_summary,
    run_all.result,
    run_all.version,
    run_all.host_id,
    run_all.trigger,
    run_all.retry_of,
    run_all.schedule_id,
    run_all.cancel_requested_at,
    run_all.expires_at
   FROM pawl.run_all;

--
-- Name: schedule; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.schedule (
    id bigint NOT NULL,
    name text,
    job text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL,
    spec json NOT NULL,
    timezone text NOT NULL,
    args json NOT NULL,
    queue text COLLATE pg_catalog."C",
    priority integer,
    attempts integer,
    timeout_ms bigint,
    title text,
    description text,
    labels jsonb,
    owner text,
    starts_at timestamp with time zone,
    ends_at timestamp with time zone,
    max_runs integer,
    enabled boolean DEFAULT true NOT NULL,
    next_at timestamp with time zone,
    run_count integer DEFAULT 0 NOT NULL,
    last_planned_at timestamp with time zone,
    last_run bigint,
    last_error text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    revision bigint DEFAULT 1 NOT NULL,
    queue_ms bigint,
    backoff json,
    CONSTRAINT schedule_attempts_check CHECK (((attempts >= 1) AND (attempts <= 1000))),
    CONSTRAINT schedule_kind_check CHECK ((kind = ANY (ARRAY['once'::text, 'interval'::text, 'cron'::text, 'calendar'::text]))),
    CONSTRAINT schedule_max_runs_check CHECK ((max_runs > 0)),
    CONSTRAINT schedule_queue_ms_check CHECK ((queue_ms >= 1))
);

--
-- Name: schedule_id_seq; Type: SEQUENCE; Schema: pawl; Owner: -
--

ALTER TABLE pawl.schedule ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME pawl.schedule_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: schedule_occurrence; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.schedule_occurrence (
    schedule_id bigint NOT NULL,
    planned_at timestamp with time zone NOT NULL,
    fired_at timestamp with time zone DEFAULT now() NOT NULL,
    run_id bigint,
    missed integer DEFAULT 0 NOT NULL
);

--
-- Name: sleeper; Type: TABLE; Schema: pawl; Owner: -
--

CREATE UNLOGGED TABLE pawl.sleeper (
    queue text NOT NULL COLLATE pg_catalog."C",
    host_id bigint NOT NULL
);

--
-- Name: attempt_1; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.attempt ATTACH PARTITION pawl.attempt_1 FOR VALUES IN ('1');

--
-- Name: attempt_1_default; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.attempt_1 ATTACH PARTITION pawl.attempt_1_default DEFAULT;

--
-- Name: attempt_30; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.attempt ATTACH PARTITION pawl.attempt_30 FOR VALUES IN ('30');

--
-- Name: attempt_30_default; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.attempt_30 ATTACH PARTITION pawl.attempt_30_default DEFAULT;

--
-- Name: attempt_365; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.attempt ATTACH PARTITION pawl.attempt_365 FOR VALUES IN ('365');

--
-- Name: attempt_365_default; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.attempt_365 ATTACH PARTITION pawl.attempt_365_default DEFAULT;

--
-- Name: attempt_7; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.attempt ATTACH PARTITION pawl.attempt_7 FOR VALUES IN ('7');

--
-- Name: attempt_7_default; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.attempt_7 ATTACH PARTITION pawl.attempt_7_default DEFAULT;

--
-- Name: attempt_90; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.attempt ATTACH PARTITION pawl.attempt_90 FOR VALUES IN ('90');

--
-- Name: attempt_90_default; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.attempt_90 ATTACH PARTITION pawl.attempt_90_default DEFAULT;

--
-- Name: run_1; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run ATTACH PARTITION pawl.run_1 FOR VALUES IN ('1');

--
-- Name: run_1_default; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_1 ATTACH PARTITION pawl.run_1_default DEFAULT;

--
-- Name: run_30; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run ATTACH PARTITION pawl.run_30 FOR VALUES IN ('30');

--
-- Name: run_30_default; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_30 ATTACH PARTITION pawl.run_30_default DEFAULT;

--
-- Name: run_365; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run ATTACH PARTITION pawl.run_365 FOR VALUES IN ('365');

--
-- Name: run_365_default; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_365 ATTACH PARTITION pawl.run_365_default DEFAULT;

--
-- Name: run_7; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run ATTACH PARTITION pawl.run_7 FOR VALUES IN ('7');

--
-- Name: run_7_default; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_7 ATTACH PARTITION pawl.run_7_default DEFAULT;

--
-- Name: run_90; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run ATTACH PARTITION pawl.run_90 FOR VALUES IN ('90');

--
-- Name: run_90_default; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_90 ATTACH PARTITION pawl.run_90_default DEFAULT;

--
-- Name: run_event_default; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_event ATTACH PARTITION pawl.run_event_default DEFAULT;

--
-- Name: run_log_default; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_log ATTACH PARTITION pawl.run_log_default DEFAULT;

--
-- Name: run_log_index_default; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_log_index ATTACH PARTITION pawl.run_log_index_default DEFAULT;

--
-- Name: attempt attempt_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.attempt
    ADD CONSTRAINT attempt_pkey PRIMARY KEY (run_id, attempt, retention, ended_at);

--
-- Name: attempt_1 attempt_1_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.attempt_1
    ADD CONSTRAINT attempt_1_pkey PRIMARY KEY (run_id, attempt, retention, ended_at);

--
-- Name: attempt_1_default attempt_1_default_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.attempt_1_default
    ADD CONSTRAINT attempt_1_default_pkey PRIMARY KEY (run_id, attempt, retention, ended_at);

--
-- Name: attempt_30 attempt_30_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.attempt_30
    ADD CONSTRAINT attempt_30_pkey PRIMARY KEY (run_id, attempt, retention, ended_at);

--
-- Name: attempt_30_default attempt_30_default_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.attempt_30_default
    ADD CONSTRAINT attempt_30_default_pkey PRIMARY KEY (run_id, attempt, retention, ended_at);

--
-- Name: attempt_365 attempt_365_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.attempt_365
    ADD CONSTRAINT attempt_365_pkey PRIMARY KEY (run_id, attempt, retention, ended_at);

--
-- Name: attempt_365_default attempt_365_default_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.attempt_365_default
    ADD CONSTRAINT attempt_365_default_pkey PRIMARY KEY (run_id, attempt, retention, ended_at);

--
-- Name: attempt_7 attempt_7_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.attempt_7
    ADD CONSTRAINT attempt_7_pkey PRIMARY KEY (run_id, attempt, retention, ended_at);

--
-- Name: attempt_7_default attempt_7_default_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.attempt_7_default
    ADD CONSTRAINT attempt_7_default_pkey PRIMARY KEY (run_id, attempt, retention, ended_at);

--
-- Name: attempt_90 attempt_90_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.attempt_90
    ADD CONSTRAINT attempt_90_pkey PRIMARY KEY (run_id, attempt, retention, ended_at);

--
-- Name: attempt_90_default attempt_90_default_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.attempt_90_default
    ADD CONSTRAINT attempt_90_default_pkey PRIMARY KEY (run_id, attempt, retention, ended_at);

--
-- Name: audit audit_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (id);

--
-- Name: crash_pending crash_pending_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.crash_pending
    ADD CONSTRAINT crash_pending_pkey PRIMARY KEY (run_id, attempt);

--
-- Name: crash_report crash_report_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.crash_report
    ADD CONSTRAINT crash_report_pkey PRIMARY KEY (run_id, attempt);

--
-- Name: error_group error_group_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.error_group
    ADD CONSTRAINT error_group_pkey PRIMARY KEY (fingerprint);

--
-- Name: follow_up follow_up_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.follow_up
    ADD CONSTRAINT follow_up_pkey PRIMARY KEY (parent, number);

--
-- Name: holding holding_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.holding
    ADD CONSTRAINT holding_pkey PRIMARY KEY (id);

--
-- Name: host host_data_directory_id_key; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.host
    ADD CONSTRAINT host_data_directory_id_key UNIQUE (data_directory_id);

--
-- Name: host host_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.host
    ADD CONSTRAINT host_pkey PRIMARY KEY (id);

--
-- Name: job job_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.job
    ADD CONSTRAINT job_pkey PRIMARY KEY (name);

--
-- Name: migration migration_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.migration
    ADD CONSTRAINT migration_pkey PRIMARY KEY (number);

--
-- Name: partition partition_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.partition
    ADD CONSTRAINT partition_pkey PRIMARY KEY (name);

--
-- Name: partition_plan partition_plan_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.partition_plan
    ADD CONSTRAINT partition_plan_pkey PRIMARY KEY (parent);

--
-- Name: plugin_blob_part plugin_blob_part_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.plugin_blob_part
    ADD CONSTRAINT plugin_blob_part_pkey PRIMARY KEY (sha256, part);

--
-- Name: plugin_blob plugin_blob_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.plugin_blob
    ADD CONSTRAINT plugin_blob_pkey PRIMARY KEY (sha256);

--
-- Name: plugin_event plugin_event_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.plugin_event
    ADD CONSTRAINT plugin_event_pkey PRIMARY KEY (id);

--
-- Name: plugin_host plugin_host_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.plugin_host
    ADD CONSTRAINT plugin_host_pkey PRIMARY KEY (host_id, plugin);

--
-- Name: plugin plugin_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.plugin
    ADD CONSTRAINT plugin_pkey PRIMARY KEY (name);

--
-- Name: plugin_version plugin_version_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.plugin_version
    ADD CONSTRAINT plugin_version_pkey PRIMARY KEY (sha256);

--
-- Name: quarantine quarantine_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.quarantine
    ADD CONSTRAINT quarantine_pkey PRIMARY KEY (handler, version);

--
-- Name: queue queue_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.queue
    ADD CONSTRAINT queue_pkey PRIMARY KEY (name);

--
-- Name: run run_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run
    ADD CONSTRAINT run_pkey PRIMARY KEY (id, retention, finished_at);

--
-- Name: run_1 run_1_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_1
    ADD CONSTRAINT run_1_pkey PRIMARY KEY (id, retention, finished_at);

--
-- Name: run_1_default run_1_default_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_1_default
    ADD CONSTRAINT run_1_default_pkey PRIMARY KEY (id, retention, finished_at);

--
-- Name: run_30 run_30_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_30
    ADD CONSTRAINT run_30_pkey PRIMARY KEY (id, retention, finished_at);

--
-- Name: run_30_default run_30_default_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_30_default
    ADD CONSTRAINT run_30_default_pkey PRIMARY KEY (id, retention, finished_at);

--
-- Name: run_365 run_365_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_365
    ADD CONSTRAINT run_365_pkey PRIMARY KEY (id, retention, finished_at);

--
-- Name: run_365_default run_365_default_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_365_default
    ADD CONSTRAINT run_365_default_pkey PRIMARY KEY (id, retention, finished_at);

--
-- Name: run_7 run_7_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_7
    ADD CONSTRAINT run_7_pkey PRIMARY KEY (id, retention, finished_at);

--
-- Name: run_7_default run_7_default_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_7_default
    ADD CONSTRAINT run_7_default_pkey PRIMARY KEY (id, retention, finished_at);

--
-- Name: run_90 run_90_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_90
    ADD CONSTRAINT run_90_pkey PRIMARY KEY (id, retention, finished_at);

--
-- Name: run_90_default run_90_default_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_90_default
    ADD CONSTRAINT run_90_default_pkey PRIMARY KEY (id, retention, finished_at);

--
-- Name: run_counter run_counter_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_counter
    ADD CONSTRAINT run_counter_pkey PRIMARY KEY (queue, job, state);

--
-- Name: run_event run_event_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_event
    ADD CONSTRAINT run_event_pkey PRIMARY KEY (id, "time");

--
-- Name: run_event_default run_event_default_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_event_default
    ADD CONSTRAINT run_event_default_pkey PRIMARY KEY (id, "time");

--
-- Name: run_key run_key_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_key
    ADD CONSTRAINT run_key_pkey PRIMARY KEY (kind, key);

--
-- Name: run_live run_live_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_live
    ADD CONSTRAINT run_live_pkey PRIMARY KEY (id);

--
-- Name: run_minute run_minute_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_minute
    ADD CONSTRAINT run_minute_pkey PRIMARY KEY (minute, queue, job, state);

--
-- Name: run_waiting run_waiting_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_waiting
    ADD CONSTRAINT run_waiting_pkey PRIMARY KEY (id);

--
-- Name: schedule_occurrence schedule_occurrence_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.schedule_occurrence
    ADD CONSTRAINT schedule_occurrence_pkey PRIMARY KEY (schedule_id, planned_at);

--
-- Name: schedule schedule_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.schedule
    ADD CONSTRAINT schedule_pkey PRIMARY KEY (id);

--
-- Name: sleeper sleeper_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.sleeper
    ADD CONSTRAINT sleeper_pkey PRIMARY KEY (queue, host_id);

--
-- Name: crash_pending_host; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX crash_pending_host ON pawl.crash_pending USING btree (host_id, ended_at);

--
-- Name: crash_report_expiry; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX crash_report_expiry ON pawl.crash_report USING btree (expires_at);

--
-- Name: crash_report_group; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX crash_report_group ON pawl.crash_report USING btree (fingerprint, run_id, attempt);

--
-- Name: error_group_seen; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX error_group_seen ON pawl.error_group USING btree (last_seen_at DESC, fingerprint);

--
-- Name: follow_up_child; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX follow_up_child ON pawl.follow_up USING btree (child);

--
-- Name: follow_up_expiry; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX follow_up_expiry ON pawl.follow_up USING btree (expires_at);

--
-- Name: holding_current; Type: INDEX; Schema: pawl; Owner: -
--

CREATE UNIQUE INDEX holding_current ON pawl.holding USING btree (kind, name) WHERE (ended_at IS NULL);

--
-- Name: holding_ended; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX holding_ended ON pawl.holding USING btree (ended_at);

--
-- Name: plugin_event_plugin; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX plugin_event_plugin ON pawl.plugin_event USING btree (plugin, id DESC);

--
-- Name: plugin_version_plugin; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX plugin_version_plugin ON pawl.plugin_version USING btree (plugin);

--
-- Name: run_event_run; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_event_run ON ONLY pawl.run_event USING btree (run_id, id);

--
-- Name: run_event_default_run_id_id_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_event_default_run_id_id_idx ON pawl.run_event_default USING btree (run_id, id);

--
-- Name: run_key_expiry; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_key_expiry ON pawl.run_key USING btree (expires_at);

--
-- Name: run_key_run; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_key_run ON pawl.run_key USING btree (run_id);

--
-- Name: run_live_expiry; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_live_expiry ON pawl.run_live USING btree (expires_at) WHERE ((state = 'queued'::text) AND (expires_at IS NOT NULL));

--
-- Name: run_live_lane; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_live_lane ON pawl.run_live USING btree (queue, rank, pos) WHERE (state = 'queued'::text);

--
-- Name: run_live_running; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_live_running ON pawl.run_live USING btree (id) WHERE (state = 'running'::text);

--
-- Name: run_log_run; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_run ON ONLY pawl.run_log USING btree (run_id, seq);

--
-- Name: run_log_default_run_id_seq_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_default_run_id_seq_idx ON pawl.run_log_default USING btree (run_id, seq);

--
-- Name: run_log_time; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_time ON ONLY pawl.run_log USING brin ("time");

--
-- Name: run_log_default_time_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_default_time_idx ON pawl.run_log_default USING brin ("time");

--
-- Name: run_log_index_run; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_index_run ON ONLY pawl.run_log_index USING btree (run_id);

--
-- Name: run_log_index_default_run_id_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_index_default_run_id_idx ON pawl.run_log_index_default USING btree (run_id);

--
-- Name: run_waiting_due; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_waiting_due ON pawl.run_waiting USING btree (run_at, id) WHERE (state <> 'blocked'::text);

--
-- Name: schedule_due; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX schedule_due ON pawl.schedule USING btree (next_at) WHERE enabled;

--
-- Name: schedule_job; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX schedule_job ON pawl.schedule USING btree (job);

--
-- Name: schedule_occurrence_age; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX schedule_occurrence_age ON pawl.schedule_occurrence USING btree (fired_at);

--
-- Name: attempt_1_default_pkey; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.attempt_1_pkey ATTACH PARTITION pawl.attempt_1_default_pkey;

--
-- Name: attempt_1_pkey; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.attempt_pkey ATTACH PARTITION pawl.attempt_1_pkey;

--
-- Name: attempt_30_default_pkey; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.attempt_30_pkey ATTACH PARTITION pawl.attempt_30_default_pkey;

--
-- Name: attempt_30_pkey; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.attempt_pkey ATTACH PARTITION pawl.attempt_30_pkey;

--
-- Name: attempt_365_default_pkey; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.attempt_365_pkey ATTACH PARTITION pawl.attempt_365_default_pkey;

--
-- Name: attempt_365_pkey; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.attempt_pkey ATTACH PARTITION pawl.attempt_365_pkey;

--
-- Name: attempt_7_default_pkey; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.attempt_7_pkey ATTACH PARTITION pawl.attempt_7_default_pkey;

--
-- Name: attempt_7_pkey; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.attempt_pkey ATTACH PARTITION pawl.attempt_7_pkey;

--
-- Name: attempt_90_default_pkey; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.attempt_90_pkey ATTACH PARTITION pawl.attempt_90_default_pkey;

--
-- Name: attempt_90_pkey; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.attempt_pkey ATTACH PARTITION pawl.attempt_90_pkey;

--
-- Name: run_1_default_pkey; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_1_pkey ATTACH PARTITION pawl.run_1_default_pkey;

--
-- Name: run_1_pkey; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_pkey ATTACH PARTITION pawl.run_1_pkey;

--
-- Name: run_30_default_pkey; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_30_pkey ATTACH PARTITION pawl.run_30_default_pkey;

--
-- Name: run_30_pkey; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_pkey ATTACH PARTITION pawl.run_30_pkey;

--
-- Name: run_365_default_pkey; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_365_pkey ATTACH PARTITION pawl.run_365_default_pkey;

--
-- Name: run_365_pkey; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_pkey ATTACH PARTITION pawl.run_365_pkey;

--
-- Name: run_7_default_pkey; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_7_pkey ATTACH PARTITION pawl.run_7_default_pkey;

--
-- Name: run_7_pkey; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_pkey ATTACH PARTITION pawl.run_7_pkey;

--
-- Name: run_90_default_pkey; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_90_pkey ATTACH PARTITION pawl.run_90_default_pkey;

--
-- Name: run_90_pkey; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_pkey ATTACH PARTITION pawl.run_90_pkey;

--
-- Name: run_event_default_pkey; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_event_pkey ATTACH PARTITION pawl.run_event_default_pkey;

--
-- Name: run_event_default_run_id_id_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_event_run ATTACH PARTITION pawl.run_event_default_run_id_id_idx;

--
-- Name: run_log_default_run_id_seq_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_log_run ATTACH PARTITION pawl.run_log_default_run_id_seq_idx;

--
-- Name: run_log_default_time_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_log_time ATTACH PARTITION pawl.run_log_default_time_idx;

--
-- Name: run_log_index_default_run_id_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_log_index_run ATTACH PARTITION pawl.run_log_index_default_run_id_idx;

--
-- Name: run_live run_live_wake; Type: TRIGGER; Schema: pawl; Owner: -
--

CREATE CONSTRAINT TRIGGER run_live_wake AFTER INSERT ON pawl.run_live DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((current_setting('pawl.host'::text, true) IS DISTINCT FROM 'on'::text)) EXECUTE FUNCTION pawl.wake();

--
-- Name: partition partition_parent_fkey; Type: FK CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.partition
    ADD CONSTRAINT partition_parent_fkey FOREIGN KEY (parent) REFERENCES pawl.partition_plan(parent);

--
-- Name: plugin_blob_part plugin_blob_part_sha256_fkey; Type: FK CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.plugin_blob_part
    ADD CONSTRAINT plugin_blob_part_sha256_fkey FOREIGN KEY (sha256) REFERENCES pawl.plugin_blob(sha256) ON DELETE CASCADE;

--
-- Name: plugin_version plugin_version_plugin_fkey; Type: FK CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.plugin_version
    ADD CONSTRAINT plugin_version_plugin_fkey FOREIGN KEY (plugin) REFERENCES pawl.plugin(name);

--
-- Name: schedule schedule_job_fkey; Type: FK CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.schedule
    ADD CONSTRAINT schedule_job_fkey FOREIGN KEY (job) REFERENCES pawl.job(name);

--
-- Name: schedule_occurrence schedule_occurrence_schedule_id_fkey; Type: FK CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.schedule_occurrence
    ADD CONSTRAINT schedule_occurrence_schedule_id_fkey FOREIGN KEY (schedule_id) REFERENCES pawl.schedule(id) ON DELETE CASCADE;

--
-- PostgreSQL database dump complete
--

