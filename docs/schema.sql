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
-- Name: admit(bigint, text[], bigint[], text[], bigint[], bigint[], text[], bigint); Type: FUNCTION; Schema: pawl; Owner: -
--

CREATE FUNCTION pawl.admit(host bigint, queues text[], ranks bigint[], lanes text[], afters bigint[], caps bigint[], jobs text[], most bigint) RETURNS TABLE(place tid, is_limited boolean)
    LANGUAGE plpgsql ROWS 1
    AS $$
DECLARE
    gates text[] := coalesce(nullif(current_setting('pawl.gates', true), '')::text[], '{}');
    -- Jobs with rules of their own. Those of their runs that are not in their lanes yet wait until they are.
    ruled text[] := coalesce((SELECT array_agg(j.lane) FROM pawl.job j WHERE j.lane <> ''), '{}');
    -- Queues and jobs with rules, and how many runs of each may still be claimed.
    keys text[];
    free bigint[];
    -- Their places in `keys`.
    q integer;
    j integer;
    room bigint;
    taken bigint;
BEGIN
    SELECT array_agg(r.key), array_agg(CASE WHEN r.is_paused OR r.concurrency IS NOT NULL AND r.key <> ALL (gates) THEN 0
        ELSE least(r.concurrency - r.everywhere, r.host_concurrency - r.here) END)
    INTO keys, free
    FROM (
        SELECT 'q' || s.name AS key, s.concurrency, s.host_concurrency, n.everywhere, n.here,
            s.paused_at IS NOT NULL AND coalesce(s.pause_until > clock_timestamp(), true) AS is_paused
        FROM pawl.queue s CROSS JOIN LATERAL (
            SELECT count(*) AS everywhere, count(*) FILTER (WHERE l.host_id = host) AS here FROM pawl.run_live l
            WHERE l.state = 'running' AND l.is_limited AND l.queue = s.name) n
        WHERE s.name = ANY (queues)
        UNION ALL
        SELECT 'j' || s.name, s.concurrency, s.host_concurrency, n.everywhere, n.here,
            s.paused_at IS NOT NULL AND coalesce(s.pause_until > clock_timestamp(), true)
        FROM pawl.job s CROSS JOIN LATERAL (
            SELECT count(*) AS everywhere, count(*) FILTER (WHERE l.host_id = host) AS here FROM pawl.run_live l
            WHERE l.state = 'running' AND l.is_limited AND l.job = s.name) n
        WHERE s.name = ANY (lanes) AND s.lane <> ''
    ) r
    WHERE r.is_paused OR r.concurrency IS NOT NULL OR r.host_concurrency IS NOT NULL;
    FOR i IN 1..coalesce(cardinality(queues), 0) LOOP
        q := array_position(keys, 'q' || queues[i]);
        j := array_position(keys, 'j' || lanes[i]);
        room := least(most, caps[i], free[q], free[j]);
        CONTINUE WHEN room <= 0;
        RETURN QUERY
            SELECT r.ctid, coalesce(q, j) IS NOT NULL FROM pawl.run_live r
            WHERE r.queue = queues[i] AND r.rank = ranks[i] AND r.lane = lanes[i] AND r.state = 'queued' AND r.pos > afters[i]
                AND (r.lane <> '' OR r.job <> ALL (ruled))
                AND (jobs IS NULL OR r.job = ANY (jobs)) AND (r.expires_at IS NULL OR r.expires_at > now())
            ORDER BY r.pos LIMIT room FOR UPDATE SKIP LOCKED;
        GET DIAGNOSTICS taken = ROW_COUNT;
        most := most - taken;
        EXIT WHEN most <= 0;
        IF q IS NOT NULL THEN free[q] := free[q] - taken; END IF;
        IF j IS NOT NULL THEN free[j] := free[j] - taken; END IF;
    END LOOP;
END
$$;

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
-- Name: check_options(jsonb); Type: FUNCTION; Schema: pawl; Owner: -
--

CREATE FUNCTION pawl.check_options(options jsonb) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    AS $$
DECLARE
    name text;
    value jsonb;
    kind text;
    low bigint;
    high bigint;
    wrong text;
BEGIN
    IF options = '{}' THEN
        RETURN;
    END IF;
    IF jsonb_typeof(options) <> 'object' THEN
        RAISE EXCEPTION 'options must be an object' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    FOR name, value IN SELECT * FROM jsonb_each(options) LOOP
        low := 0;
        CASE name
            WHEN 'queue' THEN low := 1; high := 100; kind := 'text';
            WHEN 'title' THEN high := 500; kind := 'text';
            WHEN 'description' THEN high := 10000; kind := 'text';
            WHEN 'owner', 'organization' THEN high := 200; kind := 'text';
            WHEN 'idempotency_key' THEN low := 1; high := 255; kind := 'text';
            WHEN 'run_at' THEN low := 1; high := 64; kind := 'text';
            WHEN 'priority' THEN low := -1000000; high := 1000000; kind := 'number';
            WHEN 'delay_ms' THEN high := 316224000000; kind := 'number';
            WHEN 'timeout_ms' THEN low := 1; high := 316224000000; kind := 'number';
            WHEN 'queue_ms' THEN low := 1; high := 315360000000; kind := 'number';
            WHEN 'attempts' THEN low := 1; high := 1000; kind := 'number';
            WHEN 'labels' THEN
                kind := 'other';
                IF jsonb_typeof(value) <> 'object' THEN
                    wrong := 'labels must be an object of texts';
                ELSIF EXISTS (SELECT FROM jsonb_each(value) AS l WHERE jsonb_typeof(l.value) <> 'string') THEN
                    wrong := 'labels must be an object of texts';
                END IF;
            WHEN 'backoff' THEN
                kind := 'other';
                IF jsonb_typeof(value) <> 'object'
                    OR coalesce(value ->> 'type', 'exponential') NOT IN ('exponential', 'fixed', 'linear', 'list') THEN
                    wrong := 'backoff must be an object with a type: exponential, fixed, linear or list';
                END IF;
            WHEN 'unique' THEN
                kind := 'other';
                wrong := pawl.unique_fault(value);
            ELSE
                RAISE EXCEPTION 'unknown option %', name USING ERRCODE = 'invalid_parameter_value',
                    HINT = 'Options are queue, priority, run_at, delay_ms, attempts, backoff, timeout_ms, queue_ms, title, '
                        'description, labels, owner, organization, idempotency_key, unique.';
        END CASE;
        IF kind = 'text' AND (jsonb_typeof(value) <> 'string' OR length(value #>> '{}') NOT BETWEEN low AND high) THEN
            wrong := format('%s must be a text of %s to %s characters', name, low, high);
        ELSIF kind = 'number' AND NOT pawl.is_whole(value, low, high) THEN
            wrong := format('%s must be a whole number from %s to %s', name, low, high);
        END IF;
        IF wrong IS NOT NULL THEN
            RAISE EXCEPTION '%', wrong USING ERRCODE = 'invalid_parameter_value';
        END IF;
    END LOOP;
    IF options ? 'run_at' AND options ? 'delay_ms' THEN
        RAISE EXCEPTION 'give run_at or delay_ms, not both' USING ERRCODE = 'invalid_parameter_value';
    END IF;
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

--
-- Name: failed_retention(text, smallint); Type: FUNCTION; Schema: pawl; Owner: -
--

CREATE FUNCTION pawl.failed_retention(job text, own smallint) RETURNS smallint
    LANGUAGE sql STABLE
    AS $$
    SELECT coalesce((SELECT j.retention_failed FROM pawl.job j WHERE j.name = failed_retention.job), own)
$$;

--
-- Name: find_lane(); Type: FUNCTION; Schema: pawl; Owner: -
--

CREATE FUNCTION pawl.find_lane() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF (SELECT j.lane FROM pawl.job j WHERE j.name = NEW.job) <> NEW.lane THEN
        UPDATE pawl.run_live l SET lane = j.lane FROM pawl.job j
        WHERE l.id = NEW.id AND l.state = 'queued' AND j.name = NEW.job AND j.lane <> l.lane;
    END IF;
    RETURN NULL;
END
$$;

--
-- Name: histogram_compact(bytea); Type: FUNCTION; Schema: pawl; Owner: -
--

CREATE FUNCTION pawl.histogram_compact(packed bytea) RETURNS bytea
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT string_agg(int8send(n * 512 + bucket), ''::bytea) FROM pawl.histogram_read(packed)
$$;

--
-- Name: histogram_read(bytea); Type: FUNCTION; Schema: pawl; Owner: -
--

CREATE FUNCTION pawl.histogram_read(packed bytea, OUT bucket integer, OUT n bigint) RETURNS SETOF record
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT (e & 511)::integer, sum(e >> 9)::bigint
    FROM (SELECT ('x' || encode(substring(packed FROM 8 * i + 1 FOR 8), 'hex'))::bit(64)::bigint AS e
        FROM generate_series(0, octet_length(packed) / 8 - 1) AS i) s
    GROUP BY 1 ORDER BY 1
$$;

--
-- Name: hold_calendars(); Type: FUNCTION; Schema: pawl; Owner: -
--

CREATE FUNCTION pawl.hold_calendars() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    missing text;
BEGIN
    PERFORM FROM pawl.calendar c WHERE c.name IN (SELECT json_array_elements_text(NEW.options -> 'calendars'))
    ORDER BY c.name FOR KEY SHARE;
    SELECT n.name INTO missing FROM json_array_elements_text(NEW.options -> 'calendars') AS n (name)
    WHERE NOT EXISTS (SELECT FROM pawl.calendar c WHERE c.name = n.name) LIMIT 1;
    IF missing IS NOT NULL THEN
        RAISE foreign_key_violation USING MESSAGE = format('there is no calendar %s', missing), CONSTRAINT = 'schedule_calendars';
    END IF;
    RETURN NEW;
END
$$;

--
-- Name: is_whole(jsonb, bigint, bigint); Type: FUNCTION; Schema: pawl; Owner: -
--

CREATE FUNCTION pawl.is_whole(value jsonb, low bigint, high bigint) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE
    AS $_$
BEGIN
    IF jsonb_typeof(value) <> 'number' OR value #>> '{}' !~ '^-?[0-9]{1,15}$' THEN
        RETURN false;
    END IF;
    RETURN (value #>> '{}')::bigint BETWEEN low AND high;
END
$_$;

--
-- Name: latency_bucket(interval); Type: FUNCTION; Schema: pawl; Owner: -
--

CREATE FUNCTION pawl.latency_bucket(span interval) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT width_bucket(round(date_part('epoch', span) * 1e6), '{
            1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,18,20,22,24,26,28,30,32,36,40,44,48,52,56,60,64,72,80,88,96,104,112,120,
            128,144,160,176,192,208,224,240,256,288,320,352,384,416,448,480,512,576,640,704,768,832,896,960,1024,1152,1280,
            1408,1536,1664,1792,1920,2048,2304,2560,2816,3072,3328,3584,3840,4096,4608,5120,5632,6144,6656,7168,7680,8192,
            9216,10240,11264,12288,13312,14336,15360,16384,18432,20480,22528,24576,26624,28672,30720,32768,36864,40960,45056,
            49152,53248,57344,61440,65536,73728,81920,90112,98304,106496,114688,122880,131072,147456,163840,180224,196608,
            212992,229376,245760,262144,294912,327680,360448,393216,425984,458752,491520,524288,589824,655360,720896,786432,
            851968,917504,983040,1048576,1179648,1310720,1441792,1572864,1703936,1835008,1966080,2097152,2359296,2621440,
            2883584,3145728,3407872,3670016,3932160,4194304,4718592,5242880,5767168,6291456,6815744,7340032,7864320,8388608,
            9437184,10485760,11534336,12582912,13631488,14680064,15728640,16777216,18874368,20971520,23068672,25165824,
            27262976,29360128,31457280,33554432,37748736,41943040,46137344,50331648,54525952,58720256,62914560,67108864,
            75497472,83886080,92274688,100663296,109051904,117440512,125829120,134217728,150994944,167772160,184549376,
            201326592,218103808,234881024,251658240,268435456,301989888,335544320,369098752,402653184,436207616,469762048,
            503316480,536870912,603979776,671088640,738197504,805306368,872415232,939524096,1006632960,1073741824,1207959552,
            1342177280,1476395008,1610612736,1744830464,1879048192,2013265920,2147483648,2415919104,2684354560,2952790016,
            3221225472,3489660928,3758096384,4026531840,4294967296,4831838208,5368709120,5905580032,6442450944,6979321856,
            7516192768,8053063680,8589934592,9663676416,10737418240,11811160064,12884901888,13958643712,15032385536,
            16106127360,17179869184,19327352832,21474836480,23622320128,25769803776,27917287424,30064771072,32212254720,
            34359738368,38654705664,42949672960,47244640256,51539607552,55834574848,60129542144,64424509440,68719476736,
            77309411328,85899345920,94489280512,103079215104,111669149696,120259084288,128849018880,137438953472,154618822656,
            171798691840,188978561024,206158430208,223338299392,240518168576,257698037760,274877906944,309237645312,
            343597383680,377957122048,412316860416,446676598784,481036337152,515396075520,549755813888,618475290624,
            687194767360,755914244096,824633720832,893353197568,962072674304,1030792151040,1099511627776,1236950581248,
            1374389534720,1511828488192,1649267441664,1786706395136,1924145348608,2061584302080
        }'::float8[])
$$;

--
-- Name: log_field(json, text); Type: FUNCTION; Schema: pawl; Owner: -
--

CREATE FUNCTION pawl.log_field(fields json, key text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE
        WHEN json_typeof(fields) <> 'object' THEN NULL
        WHEN strpos(fields::text, '\u') > 0
            AND regexp_replace(fields::text, '\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}', '', 'g') ~* '\\u(0000|d[89a-f])'
            THEN NULL
        ELSE fields ->> key END
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
-- Name: note_ends(); Type: FUNCTION; Schema: pawl; Owner: -
--

CREATE FUNCTION pawl.note_ends() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    -- Almost nobody waits for anybody: what has ended is not looked at then.
    IF EXISTS (SELECT FROM pawl.schedule WHERE after_job IS NOT NULL AND enabled) THEN
        INSERT INTO pawl.schedule_event (schedule_id, event, due_at)
        SELECT s.id, pawl.run_name(e.id), e.finished_at + coalesce((s.spec ->> 'delay_ms')::bigint, 0) * interval '1 millisecond'
        FROM ended e JOIN pawl.schedule s ON s.after_job = e.job AND s.enabled AND (s.spec -> 'on')::jsonb ? e.state
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            PERFORM pg_notify('pawl_schedule', '');
        END IF;
    END IF;
    RETURN NULL;
END
$$;

--
-- Name: put_run(text, json, text, bigint, timestamp with time zone, bigint, bigint, json, bigint, text, text, jsonb, text, text, bigint, bigint, timestamp with time zone, text, text, text, text, bigint, jsonb, text); Type: FUNCTION; Schema: pawl; Owner: -
--

CREATE FUNCTION pawl.put_run(job text, args json, queue text, priority bigint, run_at timestamp with time zone, delay_ms bigint, attempts bigint, backoff json, timeout_ms bigint, title text, description text, labels jsonb, owner text, organization text, retry_of bigint, schedule_id bigint, planned_at timestamp with time zone, trigger text, traceparent text, idempotency_key text, fingerprint text, queue_ms bigint, uniqueness jsonb, unique_key text, OUT verdict text, OUT run_id bigint, OUT run_queue text, OUT run_rank integer, OUT run_pos bigint, OUT run_lane text, OUT run_due timestamp with time zone, OUT run_created timestamp with time zone, OUT run_attempts integer, OUT run_expires timestamp with time zone, OUT run_retention smallint, OUT run_state text) RETURNS record
    LANGUAGE plpgsql
    AS $$
DECLARE
    wanted record;
    taken record;
    old_pos bigint;
    known_print text;
BEGIN
    SELECT j.name, j.queue, j.priority, j.retention, j.attempts, j.handler_attempts, j.limits, j.handler_limits, j.lane INTO wanted
    FROM pawl.job j WHERE j.name = put_run.job;
    IF NOT FOUND THEN
        verdict := 'no_job';
        RETURN;
    END IF;
    run_id := nextval('pawl.run_id');
    IF idempotency_key IS NOT NULL THEN
        INSERT INTO pawl.run_key AS k (kind, key, run_id, fingerprint, expires_at)
        VALUES ('idempotency', idempotency_key, put_run.run_id, put_run.fingerprint, now() + interval '24 hours')
        ON CONFLICT (kind, key) DO UPDATE
            SET run_id = excluded.run_id, fingerprint = excluded.fingerprint, expires_at = excluded.expires_at
            WHERE k.expires_at <= now();
        IF NOT FOUND THEN
            SELECT k.run_id, k.fingerprint INTO run_id, known_print FROM pawl.run_key k
            WHERE k.kind = 'idempotency' AND k.key = idempotency_key;
            verdict := CASE WHEN known_print <> put_run.fingerprint THEN 'key_reused' ELSE 'known' END;
            SELECT r.state INTO run_state FROM pawl.run_all r WHERE r.id = put_run.run_id;
            RETURN;
        END IF;
    END IF;
    run_queue := coalesce(put_run.queue, wanted.queue);
    run_rank := -coalesce(put_run.priority, wanted.priority);
    run_due := coalesce(put_run.run_at, now() + put_run.delay_ms * interval '1 millisecond', now());
    run_attempts := coalesce(put_run.attempts, wanted.attempts, wanted.handler_attempts, 3);
    run_expires := run_due + pawl.queue_ms(put_run.queue_ms, wanted.limits, wanted.handler_limits) * interval '1 millisecond';
    run_created := now();
    run_retention := wanted.retention;
    run_lane := wanted.lane;
    verdict := 'made';
    IF unique_key IS NOT NULL THEN
        SELECT * INTO taken FROM pawl.take_unique_key(unique_key, uniqueness, run_id, run_due);
        verdict := taken.verdict;
        IF idempotency_key IS NOT NULL AND verdict = 'conflict' THEN
            -- Nothing came of it, so that it may be asked again.
            DELETE FROM pawl.run_key k WHERE k.kind = 'idempotency' AND k.key = idempotency_key;
        ELSIF idempotency_key IS NOT NULL AND taken.run_id <> run_id THEN
            UPDATE pawl.run_key k SET run_id = taken.run_id WHERE k.kind = 'idempotency' AND k.key = idempotency_key;
        END IF;
        run_id := taken.run_id;
        IF verdict IN ('existing', 'conflict') THEN
            SELECT r.state INTO run_state FROM pawl.run_all r WHERE r.id = put_run.run_id;
            RETURN;
        END IF;
        run_created := coalesce(taken.created_at, run_created);
        -- What replaces a run keeps its place, so that a key which is asked for again and again has its turn some day.
        IF taken.queue = run_queue AND taken.rank = run_rank THEN
            old_pos := taken.pos;
        END IF;
    END IF;
    run_state := CASE WHEN run_due <= now() THEN 'queued' ELSE 'scheduled' END;
    IF run_due <= now() THEN
        run_pos := coalesce(old_pos, nextval('pawl.run_pos'));
        INSERT INTO pawl.run_live (id, queue, rank, pos, run_at, job, args, max_attempts, created_at, retention, trigger, backoff,
            timeout_ms, title, description, labels, owner, organization, retry_of, schedule_id, planned_at, traceparent, expires_at,
            lane)
        VALUES (run_id, run_queue, run_rank, run_pos, run_due, wanted.name, put_run.args, run_attempts, run_created,
            run_retention, put_run.trigger, put_run.backoff, put_run.timeout_ms, put_run.title, put_run.description,
            put_run.labels, put_run.owner, put_run.organization, put_run.retry_of, put_run.schedule_id, put_run.planned_at,
            put_run.traceparent, run_expires, run_lane);
    ELSE
        INSERT INTO pawl.run_waiting (id, queue, rank, state, run_at, job, args, max_attempts, created_at, retention, trigger,
            backoff, timeout_ms, title, description, labels, owner, organization, retry_of, schedule_id, planned_at, traceparent,
            expires_at)
        VALUES (run_id, run_queue, run_rank, 'scheduled', run_due, wanted.name, put_run.args, run_attempts, run_created,
            run_retention, put_run.trigger, put_run.backoff, put_run.timeout_ms, put_run.title, put_run.description,
            put_run.labels, put_run.owner, put_run.organization, put_run.retry_of, put_run.schedule_id, put_run.planned_at,
            put_run.traceparent, run_expires);
    END IF;
    INSERT INTO pawl.counter_delta (queue, job, state, n)
    VALUES (run_queue, wanted.name, run_state, 1);
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
-- Name: take_unique_key(text, jsonb, bigint, timestamp with time zone); Type: FUNCTION; Schema: pawl; Owner: -
--

CREATE FUNCTION pawl.take_unique_key(wanted text, uniqueness jsonb, number bigint, due timestamp with time zone, OUT verdict text, OUT run_id bigint, OUT queue text, OUT rank integer, OUT pos bigint, OUT created_at timestamp with time zone) RETURNS record
    LANGUAGE plpgsql
    AS $$
DECLARE
    period bigint := (uniqueness ->> 'period_ms')::bigint;
    window_end text := CASE WHEN period IS NULL THEN coalesce(uniqueness ->> 'until', 'finished') END;
    policy text := coalesce(uniqueness ->> 'policy', 'reject');
    expiry timestamptz := CASE WHEN period IS NULL THEN 'infinity' ELSE now() + period * interval '1 millisecond' END;
    look timestamptz := CASE WHEN period IS NULL THEN greatest(now(), due) + interval '1 minute' END;
    held pawl.run_key;
    is_live boolean;
    is_unstarted boolean;
    is_held boolean;
    old record;
BEGIN
    run_id := number;
    verdict := 'made';
    -- Whoever is overtaken looks again; each look is at the present state of things.
    FOR tries IN 1..20 LOOP
        -- Waits for another transaction that is taking it.
        INSERT INTO pawl.run_key AS k (kind, key, run_id, expires_at, until, look_at)
        VALUES ('unique', wanted, number, expiry, window_end, look) ON CONFLICT DO NOTHING;
        IF FOUND THEN
            RETURN;
        END IF;
        -- From here on nobody else can take it.
        SELECT * INTO held FROM pawl.run_key k WHERE k.kind = 'unique' AND k.key = wanted FOR UPDATE;
        CONTINUE WHEN NOT FOUND;
        -- One look at both tables: a run that moves between them is always in one.
        SELECT true, r.state <> 'running' AND (r.attempt = 0 OR NOT EXISTS (SELECT FROM pawl.attempt a WHERE a.run_id = held.run_id))
        INTO is_live, is_unstarted
        FROM (SELECT l.state, l.attempt FROM pawl.run_live l WHERE l.id = held.run_id
            UNION ALL SELECT w.state, w.attempt FROM pawl.run_waiting w WHERE w.id = held.run_id) r;
        is_live := coalesce(is_live, false);
        is_unstarted := coalesce(is_unstarted, false);
        is_held := CASE held.until WHEN 'started' THEN is_unstarted WHEN 'finished' THEN is_live ELSE held.expires_at > now() END;
        IF is_held THEN
            IF policy = 'return_existing' THEN
                verdict := 'existing';
                run_id := held.run_id;
                RETURN;
            END IF;
            IF policy = 'reject' OR (NOT is_unstarted AND uniqueness ->> 'if_started' IS DISTINCT FROM 'new') THEN
                verdict := 'conflict';
                run_id := held.run_id;
                RETURN;
            END IF;
            IF is_unstarted THEN
                SELECT * INTO old FROM pawl.take_unstarted(held.run_id);
                -- It was claimed or has moved since we looked.
                CONTINUE WHEN old.queue IS NULL;
                verdict := 'replaced';
                run_id := held.run_id;
                queue := old.queue;
                rank := old.rank;
                pos := old.pos;
                created_at := old.created_at;
                -- A window of time stays the one of the first request.
                IF period IS NOT NULL AND held.until IS NULL THEN
                    expiry := held.expires_at;
                END IF;
            END IF;
        END IF;
        UPDATE pawl.run_key k SET run_id = take_unique_key.run_id, expires_at = expiry, until = window_end, look_at = look
        WHERE k.kind = 'unique' AND k.key = wanted;
        RETURN;
    END LOOP;
    RAISE EXCEPTION 'unique key: others were faster at every try' USING ERRCODE = 'serialization_failure';
END
$$;

--
-- Name: take_unstarted(bigint); Type: FUNCTION; Schema: pawl; Owner: -
--

CREATE FUNCTION pawl.take_unstarted(number bigint, OUT queue text, OUT rank integer, OUT pos bigint, OUT created_at timestamp with time zone) RETURNS record
    LANGUAGE plpgsql
    AS $$
DECLARE
    gone record;
BEGIN
    DELETE FROM pawl.run_live l WHERE l.id = number AND l.state = 'queued'
        AND (l.attempt = 0 OR NOT EXISTS (SELECT FROM pawl.attempt a WHERE a.run_id = number)) RETURNING l.* INTO gone;
    IF FOUND THEN
        pos := gone.pos;
    ELSE
        DELETE FROM pawl.run_waiting w WHERE w.id = number
            AND (w.attempt = 0 OR NOT EXISTS (SELECT FROM pawl.attempt a WHERE a.run_id = number)) RETURNING w.* INTO gone;
        IF NOT FOUND THEN
            RETURN;
        END IF;
    END IF;
    queue := gone.queue;
    rank := gone.rank;
    created_at := gone.created_at;
    INSERT INTO pawl.counter_delta (queue, job, state, n) VALUES (gone.queue, gone.job, gone.state, -1);
END
$$;

--
-- Name: unique_fault(jsonb); Type: FUNCTION; Schema: pawl; Owner: -
--

CREATE FUNCTION pawl.unique_fault(uniqueness jsonb) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    AS $$
BEGIN
    IF jsonb_typeof(uniqueness) <> 'object' THEN
        RETURN 'unique must be an object';
    END IF;
    IF uniqueness - '{key,by,until,period_ms,policy,if_started}'::text[] <> '{}' THEN
        RETURN 'unique has key, by, until, period_ms, policy and if_started, and nothing else';
    END IF;
    IF uniqueness ? 'key' AND (jsonb_typeof(uniqueness -> 'key') <> 'string' OR length(uniqueness ->> 'key') NOT BETWEEN 1 AND 255) THEN
        RETURN 'unique.key must be a text of 1 to 255 characters';
    END IF;
    IF uniqueness ? 'by' THEN
        IF jsonb_typeof(uniqueness -> 'by') <> 'array' THEN
            RETURN 'unique.by must be a list';
        END IF;
        IF EXISTS (SELECT FROM jsonb_array_elements(uniqueness -> 'by') AS part WHERE jsonb_typeof(part) <> 'string'
            OR (part #>> '{}' NOT IN ('job', 'queue', 'owner', 'organization', 'args') AND part #>> '{}' NOT LIKE 'args._%')) THEN
            RETURN 'unique.by may name job, queue, owner, organization, args, and args.NAME';
        END IF;
        IF uniqueness -> 'by' = '[]' AND NOT uniqueness ? 'key' THEN
            RETURN 'unique needs a key, or parts to compare by';
        END IF;
    END IF;
    RETURN CASE
        WHEN uniqueness ? 'until' AND coalesce(uniqueness ->> 'until' NOT IN ('started', 'finished'), true)
            THEN 'unique.until must be started or finished'
        WHEN uniqueness ? 'period_ms' AND NOT pawl.is_whole(uniqueness -> 'period_ms', 1, 316224000000)
            THEN 'unique.period_ms must be a whole number from 1 to 316224000000'
        WHEN uniqueness ? 'until' AND uniqueness ? 'period_ms' THEN 'give unique.until or unique.period_ms, not both'
        WHEN uniqueness ? 'policy' AND coalesce(uniqueness ->> 'policy' NOT IN ('reject', 'return_existing', 'replace'), true)
            THEN 'unique.policy must be reject, return_existing or replace'
        WHEN uniqueness ? 'if_started' AND coalesce(uniqueness ->> 'if_started' NOT IN ('new', 'reject'), true)
            THEN 'unique.if_started must be new or reject'
        WHEN uniqueness ? 'if_started' AND uniqueness ->> 'policy' IS DISTINCT FROM 'replace'
            THEN 'unique.if_started belongs to the policy replace' END;
END
$$;

--
-- Name: unique_key(jsonb, text, text, text, text, json); Type: FUNCTION; Schema: pawl; Owner: -
--

CREATE FUNCTION pawl.unique_key(uniqueness jsonb, job text, queue text, owner text, organization text, args json) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    AS $$
DECLARE
    parts jsonb := '{}';
    part text;
BEGIN
    IF uniqueness IS NULL THEN
        RETURN NULL;
    END IF;
    IF uniqueness ? 'key' THEN
        parts := jsonb_build_object('key', uniqueness -> 'key');
    END IF;
    FOR part IN SELECT jsonb_array_elements_text(coalesce(uniqueness -> 'by',
        CASE WHEN uniqueness ? 'key' THEN '["job"]'::jsonb ELSE '["job", "args"]' END))
    LOOP
        -- A member that is not there is something else than one that is null.
        CONTINUE WHEN part LIKE 'args.%' AND args::jsonb -> substr(part, 6) IS NULL;
        parts := parts || jsonb_build_object(part, CASE part
            WHEN 'job' THEN to_jsonb(job)
            WHEN 'queue' THEN to_jsonb(queue)
            WHEN 'owner' THEN to_jsonb(owner)
            WHEN 'organization' THEN to_jsonb(organization)
            WHEN 'args' THEN args::jsonb
            ELSE args::jsonb -> substr(part, 6) END);
    END LOOP;
    -- jsonb has one text for equal values, whatever the order of members.
    RETURN encode(sha256(convert_to(parts::text, 'UTF8')), 'hex');
END
$$;

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
    detail json,
    reason text,
    result text DEFAULT 'ok'::text NOT NULL,
    request text,
    address text
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
-- Name: calendar; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.calendar (
    name text NOT NULL COLLATE pg_catalog."C",
    description text,
    content json NOT NULL,
    applied_by text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    revision bigint DEFAULT 1 NOT NULL
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
    last_run bigint,
    wait_us bigint,
    run_us bigint,
    spans integer[]
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
-- Name: emergency; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.emergency (
    mode text NOT NULL COLLATE pg_catalog."C",
    since timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    actor text,
    reason text NOT NULL,
    CONSTRAINT emergency_mode_check CHECK ((mode = ANY (ARRAY['pause_queues'::text, 'stop_scheduling'::text, 'refuse_new'::text, 'terminate_all'::text])))
);

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
    renewed_at timestamp with time zone,
    CONSTRAINT holding_end_reason_check CHECK ((end_reason = ANY (ARRAY['restarted'::text, 'silent'::text, 'stopped'::text, 'shared'::text, 'overdue'::text]))),
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
    paused_at timestamp with time zone,
    pause_reason text,
    pause_until timestamp with time zone,
    is_draining boolean DEFAULT false NOT NULL,
    concurrency integer,
    host_concurrency integer,
    lane text GENERATED ALWAYS AS (
CASE
    WHEN ((paused_at IS NULL) AND (concurrency IS NULL) AND (host_concurrency IS NULL)) THEN ''::text
    ELSE name
END) STORED NOT NULL COLLATE pg_catalog."C",
    CONSTRAINT job_attempts_check CHECK (((attempts >= 1) AND (attempts <= 1000))),
    CONSTRAINT job_concurrency_check CHECK ((concurrency >= 1)),
    CONSTRAINT job_host_concurrency_check CHECK ((host_concurrency >= 1)),
    CONSTRAINT job_retention_check CHECK ((retention = ANY (ARRAY[1, 7, 30, 90, 365]))),
    CONSTRAINT job_retention_failed_check CHECK ((retention_failed = ANY (ARRAY[1, 7, 30, 90, 365])))
);

--
-- Name: lane_pass; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.lane_pass (
    one boolean DEFAULT true NOT NULL,
    due_at timestamp with time zone DEFAULT 'infinity'::timestamp with time zone NOT NULL,
    CONSTRAINT lane_pass_one_check CHECK (one)
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
    retention smallint DEFAULT 30 NOT NULL,
    CONSTRAINT run_log_level_check CHECK (((level >= 0) AND (level <= 3))),
    CONSTRAINT run_log_stream_check CHECK (((stream >= 0) AND (stream <= 3)))
)
PARTITION BY LIST (retention);

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
    exclusive boolean DEFAULT false NOT NULL,
    pause_until timestamp with time zone,
    is_draining boolean DEFAULT false NOT NULL,
    concurrency integer,
    host_concurrency integer,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    revision bigint DEFAULT 1 NOT NULL,
    CONSTRAINT queue_concurrency_check CHECK ((concurrency >= 1)),
    CONSTRAINT queue_host_concurrency_check CHECK ((host_concurrency >= 1))
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
-- Name: rollup; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.rollup (
    step_s integer NOT NULL,
    at timestamp with time zone NOT NULL,
    queue text NOT NULL COLLATE pg_catalog."C",
    job text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL COLLATE pg_catalog."C",
    n bigint NOT NULL,
    wait_us bigint NOT NULL,
    run_us bigint NOT NULL,
    wait bytea DEFAULT '\x'::bytea NOT NULL,
    run bytea DEFAULT '\x'::bytea NOT NULL
)
PARTITION BY LIST (step_s);

--
-- Name: rollup_10s; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.rollup_10s (
    step_s integer NOT NULL,
    at timestamp with time zone NOT NULL,
    queue text NOT NULL COLLATE pg_catalog."C",
    job text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL COLLATE pg_catalog."C",
    n bigint NOT NULL,
    wait_us bigint NOT NULL,
    run_us bigint NOT NULL,
    wait bytea DEFAULT '\x'::bytea NOT NULL,
    run bytea DEFAULT '\x'::bytea NOT NULL
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='5000');

--
-- Name: rollup_1d; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.rollup_1d (
    step_s integer NOT NULL,
    at timestamp with time zone NOT NULL,
    queue text NOT NULL COLLATE pg_catalog."C",
    job text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL COLLATE pg_catalog."C",
    n bigint NOT NULL,
    wait_us bigint NOT NULL,
    run_us bigint NOT NULL,
    wait bytea DEFAULT '\x'::bytea NOT NULL,
    run bytea DEFAULT '\x'::bytea NOT NULL
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='5000');

--
-- Name: rollup_1h; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.rollup_1h (
    step_s integer NOT NULL,
    at timestamp with time zone NOT NULL,
    queue text NOT NULL COLLATE pg_catalog."C",
    job text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL COLLATE pg_catalog."C",
    n bigint NOT NULL,
    wait_us bigint NOT NULL,
    run_us bigint NOT NULL,
    wait bytea DEFAULT '\x'::bytea NOT NULL,
    run bytea DEFAULT '\x'::bytea NOT NULL
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='5000');

--
-- Name: rollup_1m; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.rollup_1m (
    step_s integer NOT NULL,
    at timestamp with time zone NOT NULL,
    queue text NOT NULL COLLATE pg_catalog."C",
    job text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL COLLATE pg_catalog."C",
    n bigint NOT NULL,
    wait_us bigint NOT NULL,
    run_us bigint NOT NULL,
    wait bytea DEFAULT '\x'::bytea NOT NULL,
    run bytea DEFAULT '\x'::bytea NOT NULL
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='5000');

--
-- Name: rollup_plan; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.rollup_plan (
    step_s integer NOT NULL,
    name text NOT NULL,
    keep_s bigint NOT NULL
);

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
    lane text DEFAULT ''::text NOT NULL COLLATE pg_catalog."C",
    is_limited boolean DEFAULT false NOT NULL,
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
    run_id bigint,
    fingerprint text,
    expires_at timestamp with time zone NOT NULL,
    until text COLLATE pg_catalog."C",
    look_at timestamp with time zone,
    answer json,
    CONSTRAINT run_key_kind_check CHECK ((kind = ANY (ARRAY['idempotency'::text, 'unique'::text, 'batch'::text]))),
    CONSTRAINT run_key_until_check CHECK ((until = ANY (ARRAY['started'::text, 'finished'::text])))
);

--
-- Name: run_log_1; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_log_1 (
    run_id bigint NOT NULL,
    seq bigint NOT NULL,
    attempt integer NOT NULL,
    "time" timestamp with time zone NOT NULL,
    stream smallint NOT NULL,
    level smallint NOT NULL,
    stage text,
    message text NOT NULL,
    fields json,
    retention smallint DEFAULT 30 NOT NULL,
    CONSTRAINT run_log_level_check CHECK (((level >= 0) AND (level <= 3))),
    CONSTRAINT run_log_stream_check CHECK (((stream >= 0) AND (stream <= 3)))
)
PARTITION BY RANGE ("time");

--
-- Name: run_log_1_default; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_log_1_default (
    run_id bigint NOT NULL,
    seq bigint NOT NULL,
    attempt integer NOT NULL,
    "time" timestamp with time zone NOT NULL,
    stream smallint NOT NULL,
    level smallint NOT NULL,
    stage text,
    message text NOT NULL,
    fields json,
    retention smallint DEFAULT 30 NOT NULL,
    CONSTRAINT run_log_level_check CHECK (((level >= 0) AND (level <= 3))),
    CONSTRAINT run_log_stream_check CHECK (((stream >= 0) AND (stream <= 3)))
);

--
-- Name: run_log_30; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_log_30 (
    run_id bigint NOT NULL,
    seq bigint NOT NULL,
    attempt integer NOT NULL,
    "time" timestamp with time zone NOT NULL,
    stream smallint NOT NULL,
    level smallint NOT NULL,
    stage text,
    message text NOT NULL,
    fields json,
    retention smallint DEFAULT 30 NOT NULL,
    CONSTRAINT run_log_level_check CHECK (((level >= 0) AND (level <= 3))),
    CONSTRAINT run_log_stream_check CHECK (((stream >= 0) AND (stream <= 3)))
)
PARTITION BY RANGE ("time");

--
-- Name: run_log_30_default; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_log_30_default (
    run_id bigint NOT NULL,
    seq bigint NOT NULL,
    attempt integer NOT NULL,
    "time" timestamp with time zone NOT NULL,
    stream smallint NOT NULL,
    level smallint NOT NULL,
    stage text,
    message text NOT NULL,
    fields json,
    retention smallint DEFAULT 30 NOT NULL,
    CONSTRAINT run_log_level_check CHECK (((level >= 0) AND (level <= 3))),
    CONSTRAINT run_log_stream_check CHECK (((stream >= 0) AND (stream <= 3)))
);

--
-- Name: run_log_365; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_log_365 (
    run_id bigint NOT NULL,
    seq bigint NOT NULL,
    attempt integer NOT NULL,
    "time" timestamp with time zone NOT NULL,
    stream smallint NOT NULL,
    level smallint NOT NULL,
    stage text,
    message text NOT NULL,
    fields json,
    retention smallint DEFAULT 30 NOT NULL,
    CONSTRAINT run_log_level_check CHECK (((level >= 0) AND (level <= 3))),
    CONSTRAINT run_log_stream_check CHECK (((stream >= 0) AND (stream <= 3)))
)
PARTITION BY RANGE ("time");

--
-- Name: run_log_365_default; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_log_365_default (
    run_id bigint NOT NULL,
    seq bigint NOT NULL,
    attempt integer NOT NULL,
    "time" timestamp with time zone NOT NULL,
    stream smallint NOT NULL,
    level smallint NOT NULL,
    stage text,
    message text NOT NULL,
    fields json,
    retention smallint DEFAULT 30 NOT NULL,
    CONSTRAINT run_log_level_check CHECK (((level >= 0) AND (level <= 3))),
    CONSTRAINT run_log_stream_check CHECK (((stream >= 0) AND (stream <= 3)))
);

--
-- Name: run_log_7; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_log_7 (
    run_id bigint NOT NULL,
    seq bigint NOT NULL,
    attempt integer NOT NULL,
    "time" timestamp with time zone NOT NULL,
    stream smallint NOT NULL,
    level smallint NOT NULL,
    stage text,
    message text NOT NULL,
    fields json,
    retention smallint DEFAULT 30 NOT NULL,
    CONSTRAINT run_log_level_check CHECK (((level >= 0) AND (level <= 3))),
    CONSTRAINT run_log_stream_check CHECK (((stream >= 0) AND (stream <= 3)))
)
PARTITION BY RANGE ("time");

--
-- Name: run_log_7_default; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_log_7_default (
    run_id bigint NOT NULL,
    seq bigint NOT NULL,
    attempt integer NOT NULL,
    "time" timestamp with time zone NOT NULL,
    stream smallint NOT NULL,
    level smallint NOT NULL,
    stage text,
    message text NOT NULL,
    fields json,
    retention smallint DEFAULT 30 NOT NULL,
    CONSTRAINT run_log_level_check CHECK (((level >= 0) AND (level <= 3))),
    CONSTRAINT run_log_stream_check CHECK (((stream >= 0) AND (stream <= 3)))
);

--
-- Name: run_log_90; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_log_90 (
    run_id bigint NOT NULL,
    seq bigint NOT NULL,
    attempt integer NOT NULL,
    "time" timestamp with time zone NOT NULL,
    stream smallint NOT NULL,
    level smallint NOT NULL,
    stage text,
    message text NOT NULL,
    fields json,
    retention smallint DEFAULT 30 NOT NULL,
    CONSTRAINT run_log_level_check CHECK (((level >= 0) AND (level <= 3))),
    CONSTRAINT run_log_stream_check CHECK (((stream >= 0) AND (stream <= 3)))
)
PARTITION BY RANGE ("time");

--
-- Name: run_log_90_default; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_log_90_default (
    run_id bigint NOT NULL,
    seq bigint NOT NULL,
    attempt integer NOT NULL,
    "time" timestamp with time zone NOT NULL,
    stream smallint NOT NULL,
    level smallint NOT NULL,
    stage text,
    message text NOT NULL,
    fields json,
    retention smallint DEFAULT 30 NOT NULL,
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
    "time" timestamp with time zone DEFAULT now() NOT NULL,
    retention smallint DEFAULT 30 NOT NULL,
    first_time timestamp with time zone,
    last_time timestamp with time zone
)
PARTITION BY LIST (retention);

--
-- Name: run_log_index_1; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_log_index_1 (
    run_id bigint NOT NULL,
    attempt integer NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    lines bigint NOT NULL,
    debug bigint NOT NULL,
    info bigint NOT NULL,
    warning bigint NOT NULL,
    error bigint NOT NULL,
    "time" timestamp with time zone DEFAULT now() NOT NULL,
    retention smallint DEFAULT 30 NOT NULL,
    first_time timestamp with time zone,
    last_time timestamp with time zone
)
PARTITION BY RANGE ("time");

--
-- Name: run_log_index_1_default; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_log_index_1_default (
    run_id bigint NOT NULL,
    attempt integer NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    lines bigint NOT NULL,
    debug bigint NOT NULL,
    info bigint NOT NULL,
    warning bigint NOT NULL,
    error bigint NOT NULL,
    "time" timestamp with time zone DEFAULT now() NOT NULL,
    retention smallint DEFAULT 30 NOT NULL,
    first_time timestamp with time zone,
    last_time timestamp with time zone
);

--
-- Name: run_log_index_30; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_log_index_30 (
    run_id bigint NOT NULL,
    attempt integer NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    lines bigint NOT NULL,
    debug bigint NOT NULL,
    info bigint NOT NULL,
    warning bigint NOT NULL,
    error bigint NOT NULL,
    "time" timestamp with time zone DEFAULT now() NOT NULL,
    retention smallint DEFAULT 30 NOT NULL,
    first_time timestamp with time zone,
    last_time timestamp with time zone
)
PARTITION BY RANGE ("time");

--
-- Name: run_log_index_30_default; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_log_index_30_default (
    run_id bigint NOT NULL,
    attempt integer NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    lines bigint NOT NULL,
    debug bigint NOT NULL,
    info bigint NOT NULL,
    warning bigint NOT NULL,
    error bigint NOT NULL,
    "time" timestamp with time zone DEFAULT now() NOT NULL,
    retention smallint DEFAULT 30 NOT NULL,
    first_time timestamp with time zone,
    last_time timestamp with time zone
);

--
-- Name: run_log_index_365; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_log_index_365 (
    run_id bigint NOT NULL,
    attempt integer NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    lines bigint NOT NULL,
    debug bigint NOT NULL,
    info bigint NOT NULL,
    warning bigint NOT NULL,
    error bigint NOT NULL,
    "time" timestamp with time zone DEFAULT now() NOT NULL,
    retention smallint DEFAULT 30 NOT NULL,
    first_time timestamp with time zone,
    last_time timestamp with time zone
)
PARTITION BY RANGE ("time");

--
-- Name: run_log_index_365_default; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_log_index_365_default (
    run_id bigint NOT NULL,
    attempt integer NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    lines bigint NOT NULL,
    debug bigint NOT NULL,
    info bigint NOT NULL,
    warning bigint NOT NULL,
    error bigint NOT NULL,
    "time" timestamp with time zone DEFAULT now() NOT NULL,
    retention smallint DEFAULT 30 NOT NULL,
    first_time timestamp with time zone,
    last_time timestamp with time zone
);

--
-- Name: run_log_index_7; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_log_index_7 (
    run_id bigint NOT NULL,
    attempt integer NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    lines bigint NOT NULL,
    debug bigint NOT NULL,
    info bigint NOT NULL,
    warning bigint NOT NULL,
    error bigint NOT NULL,
    "time" timestamp with time zone DEFAULT now() NOT NULL,
    retention smallint DEFAULT 30 NOT NULL,
    first_time timestamp with time zone,
    last_time timestamp with time zone
)
PARTITION BY RANGE ("time");

--
-- Name: run_log_index_7_default; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_log_index_7_default (
    run_id bigint NOT NULL,
    attempt integer NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    lines bigint NOT NULL,
    debug bigint NOT NULL,
    info bigint NOT NULL,
    warning bigint NOT NULL,
    error bigint NOT NULL,
    "time" timestamp with time zone DEFAULT now() NOT NULL,
    retention smallint DEFAULT 30 NOT NULL,
    first_time timestamp with time zone,
    last_time timestamp with time zone
);

--
-- Name: run_log_index_90; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_log_index_90 (
    run_id bigint NOT NULL,
    attempt integer NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    lines bigint NOT NULL,
    debug bigint NOT NULL,
    info bigint NOT NULL,
    warning bigint NOT NULL,
    error bigint NOT NULL,
    "time" timestamp with time zone DEFAULT now() NOT NULL,
    retention smallint DEFAULT 30 NOT NULL,
    first_time timestamp with time zone,
    last_time timestamp with time zone
)
PARTITION BY RANGE ("time");

--
-- Name: run_log_index_90_default; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_log_index_90_default (
    run_id bigint NOT NULL,
    attempt integer NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    lines bigint NOT NULL,
    debug bigint NOT NULL,
    info bigint NOT NULL,
    warning bigint NOT NULL,
    error bigint NOT NULL,
    "time" timestamp with time zone DEFAULT now() NOT NULL,
    retention smallint DEFAULT 30 NOT NULL,
    first_time timestamp with time zone,
    last_time timestamp with time zone
);

--
-- Name: run_mark; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_mark (
    at timestamp with time zone NOT NULL,
    last_id bigint NOT NULL
);

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
-- Name: run_pulse; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.run_pulse (
    run_id bigint NOT NULL,
    attempt integer NOT NULL,
    host_id bigint NOT NULL,
    noted_at timestamp with time zone NOT NULL,
    progressed_at timestamp with time zone NOT NULL,
    busy_at timestamp with time zone NOT NULL,
    cpu_ms bigint,
    rss_bytes bigint,
    processes integer,
    is_frozen boolean NOT NULL,
    deadline timestamp with time zone
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='1000');

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
-- Name: safety_policy; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.safety_policy (
    one boolean DEFAULT true NOT NULL,
    mode text DEFAULT 'act'::text NOT NULL,
    outcome text DEFAULT 'fail'::text NOT NULL,
    stale_ms bigint DEFAULT 21600000 NOT NULL,
    stuck_ms bigint[] DEFAULT '{600000,1800000,3600000,7200000}'::bigint[] NOT NULL,
    slow_factor double precision DEFAULT 3 NOT NULL,
    idle_ms bigint DEFAULT 600000 NOT NULL,
    sweep_ms bigint DEFAULT 300000 NOT NULL,
    revision bigint DEFAULT 1 NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_by text,
    swept_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT safety_policy_idle_ms_check CHECK ((idle_ms > 0)),
    CONSTRAINT safety_policy_mode_check CHECK ((mode = ANY (ARRAY['off'::text, 'report'::text, 'act'::text]))),
    CONSTRAINT safety_policy_one_check CHECK (one),
    CONSTRAINT safety_policy_outcome_check CHECK ((outcome = ANY (ARRAY['fail'::text, 'retry'::text]))),
    CONSTRAINT safety_policy_slow_factor_check CHECK ((slow_factor >= (1)::double precision)),
    CONSTRAINT safety_policy_stale_ms_check CHECK ((stale_ms > 0)),
    CONSTRAINT safety_policy_stuck_ms_check CHECK ((cardinality(stuck_ms) = 4)),
    CONSTRAINT safety_policy_sweep_ms_check CHECK ((sweep_ms > 0))
);

--
-- Name: safety_sweep; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.safety_sweep (
    id bigint NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    kind text NOT NULL,
    mode text NOT NULL,
    host_id bigint,
    actor text,
    reason text,
    took_ms bigint NOT NULL,
    stale bigint DEFAULT 0 NOT NULL,
    failed bigint DEFAULT 0 NOT NULL,
    requeued bigint DEFAULT 0 NOT NULL,
    untouched bigint DEFAULT 0 NOT NULL,
    runs bigint[] DEFAULT '{}'::bigint[] NOT NULL,
    orphans json,
    cleaned json,
    CONSTRAINT safety_sweep_kind_check CHECK ((kind = ANY (ARRAY['sweep'::text, 'host'::text, 'cleanup_stale'::text, 'orphans'::text]))),
    CONSTRAINT safety_sweep_mode_check CHECK ((mode = ANY (ARRAY['report'::text, 'act'::text])))
);

--
-- Name: safety_sweep_id_seq; Type: SEQUENCE; Schema: pawl; Owner: -
--

ALTER TABLE pawl.safety_sweep ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME pawl.safety_sweep_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

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
    options json DEFAULT '{}'::json NOT NULL,
    ordinal bigint DEFAULT 0 NOT NULL,
    paused_at timestamp with time zone,
    paused_until timestamp with time zone,
    pause_reason text,
    skip_next integer DEFAULT 0 NOT NULL,
    skip_until timestamp with time zone,
    retry_at timestamp with time zone,
    after_job text GENERATED ALWAYS AS (
CASE
    WHEN (kind = 'after'::text) THEN (spec ->> 'job'::text)
    ELSE NULL::text
END) STORED COLLATE pg_catalog."C",
    applied_by text,
    CONSTRAINT schedule_attempts_check CHECK (((attempts >= 1) AND (attempts <= 1000))),
    CONSTRAINT schedule_kind_check CHECK ((kind = ANY (ARRAY['once'::text, 'interval'::text, 'cron'::text, 'calendar'::text, 'oncalendar'::text, 'rrule'::text, 'after'::text, 'event'::text]))),
    CONSTRAINT schedule_max_runs_check CHECK ((max_runs > 0)),
    CONSTRAINT schedule_queue_ms_check CHECK ((queue_ms >= 1))
);

--
-- Name: schedule_backfill; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.schedule_backfill (
    id bigint NOT NULL,
    schedule_id bigint NOT NULL,
    from_at timestamp with time zone NOT NULL,
    to_at timestamp with time zone NOT NULL,
    max_parallel integer NOT NULL,
    runs integer NOT NULL,
    actor text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    ended_at timestamp with time zone,
    CONSTRAINT schedule_backfill_max_parallel_check CHECK ((max_parallel > 0))
);

--
-- Name: schedule_backfill_id_seq; Type: SEQUENCE; Schema: pawl; Owner: -
--

ALTER TABLE pawl.schedule_backfill ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME pawl.schedule_backfill_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: schedule_clock; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.schedule_clock (
    is_only boolean DEFAULT true NOT NULL,
    zone_release text,
    CONSTRAINT schedule_clock_is_only_check CHECK (is_only)
);

--
-- Name: schedule_event; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.schedule_event (
    schedule_id bigint NOT NULL,
    event text NOT NULL,
    due_at timestamp with time zone NOT NULL
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
    missed integer DEFAULT 0 NOT NULL,
    reason text,
    source text DEFAULT 'time'::text NOT NULL,
    event text,
    CONSTRAINT schedule_occurrence_reason_check CHECK ((reason = ANY (ARRAY['missed'::text, 'overlap'::text, 'paused'::text, 'blackout'::text, 'calendar'::text, 'skipped'::text]))),
    CONSTRAINT schedule_occurrence_source_check CHECK ((source = ANY (ARRAY['time'::text, 'manual'::text, 'backfill'::text, 'after'::text, 'event'::text])))
);

--
-- Name: schedule_turn; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.schedule_turn (
    run_id bigint NOT NULL,
    schedule_id bigint NOT NULL,
    backfill_id bigint,
    is_waiting boolean NOT NULL
);

--
-- Name: sleeper; Type: TABLE; Schema: pawl; Owner: -
--

CREATE UNLOGGED TABLE pawl.sleeper (
    queue text NOT NULL COLLATE pg_catalog."C",
    host_id bigint NOT NULL
);

--
-- Name: token; Type: TABLE; Schema: pawl; Owner: -
--

CREATE TABLE pawl.token (
    id bigint NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    hash bytea NOT NULL,
    hint text NOT NULL,
    role text NOT NULL,
    bounds json DEFAULT '{}'::json NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    created_by text,
    expires_at timestamp with time zone,
    last_used_at timestamp with time zone,
    last_used_from text,
    revoked_at timestamp with time zone,
    revoked_by text,
    CONSTRAINT token_hash_check CHECK ((length(hash) = 32)),
    CONSTRAINT token_role_check CHECK ((role = ANY (ARRAY['viewer'::text, 'operator'::text, 'admin'::text, 'owner'::text])))
);

--
-- Name: token_id_seq; Type: SEQUENCE; Schema: pawl; Owner: -
--

ALTER TABLE pawl.token ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME pawl.token_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
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
-- Name: rollup_10s; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.rollup ATTACH PARTITION pawl.rollup_10s FOR VALUES IN (10);

--
-- Name: rollup_1d; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.rollup ATTACH PARTITION pawl.rollup_1d FOR VALUES IN (86400);

--
-- Name: rollup_1h; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.rollup ATTACH PARTITION pawl.rollup_1h FOR VALUES IN (3600);

--
-- Name: rollup_1m; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.rollup ATTACH PARTITION pawl.rollup_1m FOR VALUES IN (60);

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
-- Name: run_log_1; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_log ATTACH PARTITION pawl.run_log_1 FOR VALUES IN ('1');

--
-- Name: run_log_1_default; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_log_1 ATTACH PARTITION pawl.run_log_1_default DEFAULT;

--
-- Name: run_log_30; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_log ATTACH PARTITION pawl.run_log_30 FOR VALUES IN ('30');

--
-- Name: run_log_30_default; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_log_30 ATTACH PARTITION pawl.run_log_30_default DEFAULT;

--
-- Name: run_log_365; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_log ATTACH PARTITION pawl.run_log_365 FOR VALUES IN ('365');

--
-- Name: run_log_365_default; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_log_365 ATTACH PARTITION pawl.run_log_365_default DEFAULT;

--
-- Name: run_log_7; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_log ATTACH PARTITION pawl.run_log_7 FOR VALUES IN ('7');

--
-- Name: run_log_7_default; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_log_7 ATTACH PARTITION pawl.run_log_7_default DEFAULT;

--
-- Name: run_log_90; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_log ATTACH PARTITION pawl.run_log_90 FOR VALUES IN ('90');

--
-- Name: run_log_90_default; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_log_90 ATTACH PARTITION pawl.run_log_90_default DEFAULT;

--
-- Name: run_log_index_1; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_log_index ATTACH PARTITION pawl.run_log_index_1 FOR VALUES IN ('1');

--
-- Name: run_log_index_1_default; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_log_index_1 ATTACH PARTITION pawl.run_log_index_1_default DEFAULT;

--
-- Name: run_log_index_30; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_log_index ATTACH PARTITION pawl.run_log_index_30 FOR VALUES IN ('30');

--
-- Name: run_log_index_30_default; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_log_index_30 ATTACH PARTITION pawl.run_log_index_30_default DEFAULT;

--
-- Name: run_log_index_365; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_log_index ATTACH PARTITION pawl.run_log_index_365 FOR VALUES IN ('365');

--
-- Name: run_log_index_365_default; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_log_index_365 ATTACH PARTITION pawl.run_log_index_365_default DEFAULT;

--
-- Name: run_log_index_7; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_log_index ATTACH PARTITION pawl.run_log_index_7 FOR VALUES IN ('7');

--
-- Name: run_log_index_7_default; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_log_index_7 ATTACH PARTITION pawl.run_log_index_7_default DEFAULT;

--
-- Name: run_log_index_90; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_log_index ATTACH PARTITION pawl.run_log_index_90 FOR VALUES IN ('90');

--
-- Name: run_log_index_90_default; Type: TABLE ATTACH; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_log_index_90 ATTACH PARTITION pawl.run_log_index_90_default DEFAULT;

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
-- Name: calendar calendar_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.calendar
    ADD CONSTRAINT calendar_pkey PRIMARY KEY (name);

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
-- Name: emergency emergency_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.emergency
    ADD CONSTRAINT emergency_pkey PRIMARY KEY (mode);

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
-- Name: lane_pass lane_pass_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.lane_pass
    ADD CONSTRAINT lane_pass_pkey PRIMARY KEY (one);

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
-- Name: rollup rollup_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.rollup
    ADD CONSTRAINT rollup_pkey PRIMARY KEY (step_s, queue, job, at, state);

--
-- Name: rollup_10s rollup_10s_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.rollup_10s
    ADD CONSTRAINT rollup_10s_pkey PRIMARY KEY (step_s, queue, job, at, state);

--
-- Name: rollup_1d rollup_1d_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.rollup_1d
    ADD CONSTRAINT rollup_1d_pkey PRIMARY KEY (step_s, queue, job, at, state);

--
-- Name: rollup_1h rollup_1h_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.rollup_1h
    ADD CONSTRAINT rollup_1h_pkey PRIMARY KEY (step_s, queue, job, at, state);

--
-- Name: rollup_1m rollup_1m_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.rollup_1m
    ADD CONSTRAINT rollup_1m_pkey PRIMARY KEY (step_s, queue, job, at, state);

--
-- Name: rollup_plan rollup_plan_name_key; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.rollup_plan
    ADD CONSTRAINT rollup_plan_name_key UNIQUE (name);

--
-- Name: rollup_plan rollup_plan_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.rollup_plan
    ADD CONSTRAINT rollup_plan_pkey PRIMARY KEY (step_s);

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
-- Name: run_mark run_mark_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_mark
    ADD CONSTRAINT run_mark_pkey PRIMARY KEY (at);

--
-- Name: run_pulse run_pulse_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_pulse
    ADD CONSTRAINT run_pulse_pkey PRIMARY KEY (run_id);

--
-- Name: run_waiting run_waiting_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.run_waiting
    ADD CONSTRAINT run_waiting_pkey PRIMARY KEY (id);

--
-- Name: safety_policy safety_policy_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.safety_policy
    ADD CONSTRAINT safety_policy_pkey PRIMARY KEY (one);

--
-- Name: safety_sweep safety_sweep_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.safety_sweep
    ADD CONSTRAINT safety_sweep_pkey PRIMARY KEY (id);

--
-- Name: schedule_backfill schedule_backfill_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.schedule_backfill
    ADD CONSTRAINT schedule_backfill_pkey PRIMARY KEY (id);

--
-- Name: schedule_clock schedule_clock_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.schedule_clock
    ADD CONSTRAINT schedule_clock_pkey PRIMARY KEY (is_only);

--
-- Name: schedule_event schedule_event_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.schedule_event
    ADD CONSTRAINT schedule_event_pkey PRIMARY KEY (schedule_id, event);

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
-- Name: schedule_turn schedule_turn_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.schedule_turn
    ADD CONSTRAINT schedule_turn_pkey PRIMARY KEY (run_id);

--
-- Name: sleeper sleeper_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.sleeper
    ADD CONSTRAINT sleeper_pkey PRIMARY KEY (queue, host_id);

--
-- Name: token token_hash_key; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.token
    ADD CONSTRAINT token_hash_key UNIQUE (hash);

--
-- Name: token token_pkey; Type: CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.token
    ADD CONSTRAINT token_pkey PRIMARY KEY (id);

--
-- Name: audit_actor; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX audit_actor ON pawl.audit USING btree (actor, id);

--
-- Name: audit_target; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX audit_target ON pawl.audit USING btree (target, id);

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
-- Name: job_lane; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX job_lane ON pawl.job USING btree (lane) WHERE (lane <> ''::text);

--
-- Name: plugin_event_plugin; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX plugin_event_plugin ON pawl.plugin_event USING btree (plugin, id DESC);

--
-- Name: plugin_version_plugin; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX plugin_version_plugin ON pawl.plugin_version USING btree (plugin);

--
-- Name: rollup_at; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX rollup_at ON ONLY pawl.rollup USING btree (at);

--
-- Name: rollup_10s_at_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX rollup_10s_at_idx ON pawl.rollup_10s USING btree (at);

--
-- Name: rollup_1d_at_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX rollup_1d_at_idx ON pawl.rollup_1d USING btree (at);

--
-- Name: rollup_1h_at_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX rollup_1h_at_idx ON pawl.rollup_1h USING btree (at);

--
-- Name: rollup_1m_at_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX rollup_1m_at_idx ON pawl.rollup_1m USING btree (at);

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
-- Name: run_key_look; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_key_look ON pawl.run_key USING btree (look_at) WHERE (look_at IS NOT NULL);

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

CREATE INDEX run_live_lane ON pawl.run_live USING btree (queue, rank, lane, pos) WHERE (state = 'queued'::text);

--
-- Name: run_live_limited; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_live_limited ON pawl.run_live USING btree (queue, job) WHERE ((state = 'running'::text) AND is_limited);

--
-- Name: run_live_running; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_live_running ON pawl.run_live USING btree (id) WHERE (state = 'running'::text);

--
-- Name: run_log_run; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_run ON ONLY pawl.run_log USING btree (run_id, seq);

--
-- Name: run_log_1_run_id_seq_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_1_run_id_seq_idx ON ONLY pawl.run_log_1 USING btree (run_id, seq);

--
-- Name: run_log_1_default_run_id_seq_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_1_default_run_id_seq_idx ON pawl.run_log_1_default USING btree (run_id, seq);

--
-- Name: run_log_time; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_time ON ONLY pawl.run_log USING brin ("time");

--
-- Name: run_log_1_time_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_1_time_idx ON ONLY pawl.run_log_1 USING brin ("time");

--
-- Name: run_log_1_default_time_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_1_default_time_idx ON pawl.run_log_1_default USING brin ("time");

--
-- Name: run_log_30_run; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_30_run ON ONLY pawl.run_log_30 USING btree (run_id, seq);

--
-- Name: run_log_30_time; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_30_time ON ONLY pawl.run_log_30 USING brin ("time");

--
-- Name: run_log_365_run_id_seq_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_365_run_id_seq_idx ON ONLY pawl.run_log_365 USING btree (run_id, seq);

--
-- Name: run_log_365_default_run_id_seq_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_365_default_run_id_seq_idx ON pawl.run_log_365_default USING btree (run_id, seq);

--
-- Name: run_log_365_time_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_365_time_idx ON ONLY pawl.run_log_365 USING brin ("time");

--
-- Name: run_log_365_default_time_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_365_default_time_idx ON pawl.run_log_365_default USING brin ("time");

--
-- Name: run_log_7_run_id_seq_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_7_run_id_seq_idx ON ONLY pawl.run_log_7 USING btree (run_id, seq);

--
-- Name: run_log_7_default_run_id_seq_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_7_default_run_id_seq_idx ON pawl.run_log_7_default USING btree (run_id, seq);

--
-- Name: run_log_7_time_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_7_time_idx ON ONLY pawl.run_log_7 USING brin ("time");

--
-- Name: run_log_7_default_time_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_7_default_time_idx ON pawl.run_log_7_default USING brin ("time");

--
-- Name: run_log_90_run_id_seq_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_90_run_id_seq_idx ON ONLY pawl.run_log_90 USING btree (run_id, seq);

--
-- Name: run_log_90_default_run_id_seq_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_90_default_run_id_seq_idx ON pawl.run_log_90_default USING btree (run_id, seq);

--
-- Name: run_log_90_time_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_90_time_idx ON ONLY pawl.run_log_90 USING brin ("time");

--
-- Name: run_log_90_default_time_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_90_default_time_idx ON pawl.run_log_90_default USING brin ("time");

--
-- Name: run_log_default_run_id_seq_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_default_run_id_seq_idx ON pawl.run_log_30_default USING btree (run_id, seq);

--
-- Name: run_log_default_time_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_default_time_idx ON pawl.run_log_30_default USING brin ("time");

--
-- Name: run_log_index_run; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_index_run ON ONLY pawl.run_log_index USING btree (run_id, last_seq);

--
-- Name: run_log_index_1_run_id_last_seq_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_index_1_run_id_last_seq_idx ON ONLY pawl.run_log_index_1 USING btree (run_id, last_seq);

--
-- Name: run_log_index_1_default_run_id_last_seq_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_index_1_default_run_id_last_seq_idx ON pawl.run_log_index_1_default USING btree (run_id, last_seq);

--
-- Name: run_log_index_30_run_id_last_seq_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_index_30_run_id_last_seq_idx ON ONLY pawl.run_log_index_30 USING btree (run_id, last_seq);

--
-- Name: run_log_index_30_default_run_id_last_seq_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_index_30_default_run_id_last_seq_idx ON pawl.run_log_index_30_default USING btree (run_id, last_seq);

--
-- Name: run_log_index_365_run_id_last_seq_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_index_365_run_id_last_seq_idx ON ONLY pawl.run_log_index_365 USING btree (run_id, last_seq);

--
-- Name: run_log_index_365_default_run_id_last_seq_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_index_365_default_run_id_last_seq_idx ON pawl.run_log_index_365_default USING btree (run_id, last_seq);

--
-- Name: run_log_index_7_run_id_last_seq_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_index_7_run_id_last_seq_idx ON ONLY pawl.run_log_index_7 USING btree (run_id, last_seq);

--
-- Name: run_log_index_7_default_run_id_last_seq_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_index_7_default_run_id_last_seq_idx ON pawl.run_log_index_7_default USING btree (run_id, last_seq);

--
-- Name: run_log_index_90_run_id_last_seq_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_index_90_run_id_last_seq_idx ON ONLY pawl.run_log_index_90 USING btree (run_id, last_seq);

--
-- Name: run_log_index_90_default_run_id_last_seq_idx; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_log_index_90_default_run_id_last_seq_idx ON pawl.run_log_index_90_default USING btree (run_id, last_seq);

--
-- Name: run_pulse_host; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_pulse_host ON pawl.run_pulse USING btree (host_id);

--
-- Name: run_waiting_due; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX run_waiting_due ON pawl.run_waiting USING btree (run_at, id) WHERE (state <> 'blocked'::text);

--
-- Name: schedule_after; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX schedule_after ON pawl.schedule USING btree (after_job) WHERE ((after_job IS NOT NULL) AND enabled);

--
-- Name: schedule_backfill_open; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX schedule_backfill_open ON pawl.schedule_backfill USING btree (id) WHERE (ended_at IS NULL);

--
-- Name: schedule_due; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX schedule_due ON pawl.schedule USING btree (COALESCE(retry_at, next_at)) WHERE (enabled AND (next_at IS NOT NULL));

--
-- Name: schedule_event_due; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX schedule_event_due ON pawl.schedule_event USING btree (schedule_id, due_at);

--
-- Name: schedule_job; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX schedule_job ON pawl.schedule USING btree (job);

--
-- Name: schedule_name; Type: INDEX; Schema: pawl; Owner: -
--

CREATE UNIQUE INDEX schedule_name ON pawl.schedule USING btree (name);

--
-- Name: schedule_occurrence_age; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX schedule_occurrence_age ON pawl.schedule_occurrence USING btree (fired_at);

--
-- Name: schedule_occurrence_event; Type: INDEX; Schema: pawl; Owner: -
--

CREATE UNIQUE INDEX schedule_occurrence_event ON pawl.schedule_occurrence USING btree (schedule_id, event) WHERE (event IS NOT NULL);

--
-- Name: schedule_occurrence_run; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX schedule_occurrence_run ON pawl.schedule_occurrence USING btree (schedule_id, planned_at DESC) WHERE (run_id IS NOT NULL);

--
-- Name: schedule_of_events; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX schedule_of_events ON pawl.schedule USING btree (id) WHERE (kind = ANY (ARRAY['after'::text, 'event'::text]));

--
-- Name: schedule_turn_backfill; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX schedule_turn_backfill ON pawl.schedule_turn USING btree (backfill_id, run_id);

--
-- Name: schedule_turn_schedule; Type: INDEX; Schema: pawl; Owner: -
--

CREATE INDEX schedule_turn_schedule ON pawl.schedule_turn USING btree (schedule_id) WHERE (backfill_id IS NULL);

--
-- Name: token_name; Type: INDEX; Schema: pawl; Owner: -
--

CREATE UNIQUE INDEX token_name ON pawl.token USING btree (name) WHERE (revoked_at IS NULL);

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
-- Name: rollup_10s_at_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.rollup_at ATTACH PARTITION pawl.rollup_10s_at_idx;

--
-- Name: rollup_10s_pkey; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.rollup_pkey ATTACH PARTITION pawl.rollup_10s_pkey;

--
-- Name: rollup_1d_at_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.rollup_at ATTACH PARTITION pawl.rollup_1d_at_idx;

--
-- Name: rollup_1d_pkey; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.rollup_pkey ATTACH PARTITION pawl.rollup_1d_pkey;

--
-- Name: rollup_1h_at_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.rollup_at ATTACH PARTITION pawl.rollup_1h_at_idx;

--
-- Name: rollup_1h_pkey; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.rollup_pkey ATTACH PARTITION pawl.rollup_1h_pkey;

--
-- Name: rollup_1m_at_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.rollup_at ATTACH PARTITION pawl.rollup_1m_at_idx;

--
-- Name: rollup_1m_pkey; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.rollup_pkey ATTACH PARTITION pawl.rollup_1m_pkey;

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
-- Name: run_log_1_default_run_id_seq_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_log_1_run_id_seq_idx ATTACH PARTITION pawl.run_log_1_default_run_id_seq_idx;

--
-- Name: run_log_1_default_time_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_log_1_time_idx ATTACH PARTITION pawl.run_log_1_default_time_idx;

--
-- Name: run_log_1_run_id_seq_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_log_run ATTACH PARTITION pawl.run_log_1_run_id_seq_idx;

--
-- Name: run_log_1_time_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_log_time ATTACH PARTITION pawl.run_log_1_time_idx;

--
-- Name: run_log_30_run; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_log_run ATTACH PARTITION pawl.run_log_30_run;

--
-- Name: run_log_30_time; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_log_time ATTACH PARTITION pawl.run_log_30_time;

--
-- Name: run_log_365_default_run_id_seq_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_log_365_run_id_seq_idx ATTACH PARTITION pawl.run_log_365_default_run_id_seq_idx;

--
-- Name: run_log_365_default_time_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_log_365_time_idx ATTACH PARTITION pawl.run_log_365_default_time_idx;

--
-- Name: run_log_365_run_id_seq_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_log_run ATTACH PARTITION pawl.run_log_365_run_id_seq_idx;

--
-- Name: run_log_365_time_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_log_time ATTACH PARTITION pawl.run_log_365_time_idx;

--
-- Name: run_log_7_default_run_id_seq_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_log_7_run_id_seq_idx ATTACH PARTITION pawl.run_log_7_default_run_id_seq_idx;

--
-- Name: run_log_7_default_time_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_log_7_time_idx ATTACH PARTITION pawl.run_log_7_default_time_idx;

--
-- Name: run_log_7_run_id_seq_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_log_run ATTACH PARTITION pawl.run_log_7_run_id_seq_idx;

--
-- Name: run_log_7_time_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_log_time ATTACH PARTITION pawl.run_log_7_time_idx;

--
-- Name: run_log_90_default_run_id_seq_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_log_90_run_id_seq_idx ATTACH PARTITION pawl.run_log_90_default_run_id_seq_idx;

--
-- Name: run_log_90_default_time_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_log_90_time_idx ATTACH PARTITION pawl.run_log_90_default_time_idx;

--
-- Name: run_log_90_run_id_seq_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_log_run ATTACH PARTITION pawl.run_log_90_run_id_seq_idx;

--
-- Name: run_log_90_time_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_log_time ATTACH PARTITION pawl.run_log_90_time_idx;

--
-- Name: run_log_default_run_id_seq_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_log_30_run ATTACH PARTITION pawl.run_log_default_run_id_seq_idx;

--
-- Name: run_log_default_time_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_log_30_time ATTACH PARTITION pawl.run_log_default_time_idx;

--
-- Name: run_log_index_1_default_run_id_last_seq_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_log_index_1_run_id_last_seq_idx ATTACH PARTITION pawl.run_log_index_1_default_run_id_last_seq_idx;

--
-- Name: run_log_index_1_run_id_last_seq_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_log_index_run ATTACH PARTITION pawl.run_log_index_1_run_id_last_seq_idx;

--
-- Name: run_log_index_30_default_run_id_last_seq_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_log_index_30_run_id_last_seq_idx ATTACH PARTITION pawl.run_log_index_30_default_run_id_last_seq_idx;

--
-- Name: run_log_index_30_run_id_last_seq_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_log_index_run ATTACH PARTITION pawl.run_log_index_30_run_id_last_seq_idx;

--
-- Name: run_log_index_365_default_run_id_last_seq_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_log_index_365_run_id_last_seq_idx ATTACH PARTITION pawl.run_log_index_365_default_run_id_last_seq_idx;

--
-- Name: run_log_index_365_run_id_last_seq_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_log_index_run ATTACH PARTITION pawl.run_log_index_365_run_id_last_seq_idx;

--
-- Name: run_log_index_7_default_run_id_last_seq_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_log_index_7_run_id_last_seq_idx ATTACH PARTITION pawl.run_log_index_7_default_run_id_last_seq_idx;

--
-- Name: run_log_index_7_run_id_last_seq_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_log_index_run ATTACH PARTITION pawl.run_log_index_7_run_id_last_seq_idx;

--
-- Name: run_log_index_90_default_run_id_last_seq_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_log_index_90_run_id_last_seq_idx ATTACH PARTITION pawl.run_log_index_90_default_run_id_last_seq_idx;

--
-- Name: run_log_index_90_run_id_last_seq_idx; Type: INDEX ATTACH; Schema: pawl; Owner: -
--

ALTER INDEX pawl.run_log_index_run ATTACH PARTITION pawl.run_log_index_90_run_id_last_seq_idx;

--
-- Name: run run_ended; Type: TRIGGER; Schema: pawl; Owner: -
--

CREATE TRIGGER run_ended AFTER INSERT ON pawl.run REFERENCING NEW TABLE AS ended FOR EACH STATEMENT EXECUTE FUNCTION pawl.note_ends();

--
-- Name: run_live run_live_find_lane; Type: TRIGGER; Schema: pawl; Owner: -
--

CREATE CONSTRAINT TRIGGER run_live_find_lane AFTER INSERT ON pawl.run_live DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((current_setting('pawl.host'::text, true) IS DISTINCT FROM 'on'::text)) EXECUTE FUNCTION pawl.find_lane();

--
-- Name: run_live run_live_wake; Type: TRIGGER; Schema: pawl; Owner: -
--

CREATE CONSTRAINT TRIGGER run_live_wake AFTER INSERT ON pawl.run_live DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((current_setting('pawl.host'::text, true) IS DISTINCT FROM 'on'::text)) EXECUTE FUNCTION pawl.wake();

--
-- Name: schedule schedule_calendars; Type: TRIGGER; Schema: pawl; Owner: -
--

CREATE TRIGGER schedule_calendars BEFORE INSERT OR UPDATE OF options ON pawl.schedule FOR EACH ROW WHEN ((((new.options -> 'calendars'::text) ->> 0) IS NOT NULL)) EXECUTE FUNCTION pawl.hold_calendars();

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
-- Name: schedule_event schedule_event_schedule_id_fkey; Type: FK CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.schedule_event
    ADD CONSTRAINT schedule_event_schedule_id_fkey FOREIGN KEY (schedule_id) REFERENCES pawl.schedule(id) ON DELETE CASCADE;

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
-- Name: schedule_turn schedule_turn_backfill_id_fkey; Type: FK CONSTRAINT; Schema: pawl; Owner: -
--

ALTER TABLE ONLY pawl.schedule_turn
    ADD CONSTRAINT schedule_turn_backfill_id_fkey FOREIGN KEY (backfill_id) REFERENCES pawl.schedule_backfill(id);

--
-- PostgreSQL database dump complete
--

