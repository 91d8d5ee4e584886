-- For applications in any language: enqueue and cancel inside their own transactions; names of runs.

-- run_… as people see it, from the number in the tables (Crockford's base32, 13 characters).
CREATE FUNCTION pawl.run_name(number bigint) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT 'run_' || string_agg(substr('0123456789abcdefghjkmnpqrstvwxyz', ((number >> (5 * (12 - i))) & 31)::integer + 1, 1), '' ORDER BY i)
    FROM generate_series(0, 12) AS i
$$;

-- The number of a run from its name; null if it is no name.
CREATE FUNCTION pawl.run_number(name text) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN lower(name) ~ '^run_[0-7][0-9a-tv-z]{12}$' THEN (
        SELECT sum((strpos('0123456789abcdefghjkmnpqrstvwxyz', translate(substr(lower(name), 5 + i, 1), 'ilo', '110')) - 1)::numeric
            * (32::numeric ^ (12 - i)))::bigint
        FROM generate_series(0, 12) AS i) END
$$;

-- Tells sleeping hosts, at commit, that there is something in a queue. Sessions of a host wake their own host themselves.
CREATE FUNCTION pawl.wake() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM pawl.sleeper WHERE queue IN (NEW.queue, '*')) THEN
        PERFORM pg_notify('pawl_wake', NEW.queue);
    END IF;
    RETURN NULL;
END
$$;
-- Deferred, so that it looks when the application commits, not when it enqueues: a host may fall asleep in between.
CREATE CONSTRAINT TRIGGER run_live_wake AFTER INSERT ON pawl.run_live DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (current_setting('pawl.host', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION pawl.wake();

-- Requests a run; returns its name. Options: queue, priority, run_at, delay_ms, attempts, backoff, timeout_ms, title,
-- description, labels, owner, organization, idempotency_key. Raises 22023 for what it does not understand.
CREATE FUNCTION pawl.enqueue(job text, args json DEFAULT '{}', options jsonb DEFAULT '{}') RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    wanted pawl.job;
    unknown text;
    number bigint;
    due timestamptz;
    target text;
    level integer;
BEGIN
    SELECT * INTO wanted FROM pawl.job j WHERE j.name = enqueue.job;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no job %', enqueue.job USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT string_agg(key, ', ') INTO unknown FROM jsonb_object_keys(options) AS key
    WHERE key NOT IN ('queue', 'priority', 'run_at', 'delay_ms', 'attempts', 'backoff', 'timeout_ms', 'title', 'description',
        'labels', 'owner', 'organization', 'idempotency_key');
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION 'unknown option %', unknown USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF (options ->> 'attempts')::integer NOT BETWEEN 1 AND 1000 THEN
        RAISE EXCEPTION 'attempts must be 1 to 1000' USING ERRCODE = 'invalid_parameter_value';
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
    IF due > now() THEN
        INSERT INTO pawl.run_waiting (id, queue, rank, state, run_at, job, args, max_attempts, created_at, retention, trigger,
            backoff, timeout_ms, title, description, labels, owner, organization)
        VALUES (number, target, level, 'scheduled', due, wanted.name, args,
            coalesce((options ->> 'attempts')::integer, wanted.attempts, wanted.handler_attempts, 3), now(), wanted.retention, 'sql',
            options -> 'backoff', (options ->> 'timeout_ms')::bigint, options ->> 'title', options ->> 'description',
            options -> 'labels', options ->> 'owner', options ->> 'organization');
    ELSE
        INSERT INTO pawl.run_live (id, queue, rank, pos, run_at, job, args, max_attempts, created_at, retention, trigger,
            backoff, timeout_ms, title, description, labels, owner, organization)
        VALUES (number, target, level, nextval('pawl.run_pos'), due, wanted.name, args,
            coalesce((options ->> 'attempts')::integer, wanted.attempts, wanted.handler_attempts, 3), now(), wanted.retention, 'sql',
            options -> 'backoff', (options ->> 'timeout_ms')::bigint, options ->> 'title', options ->> 'description',
            options -> 'labels', options ->> 'owner', options ->> 'organization');
    END IF;
    INSERT INTO pawl.counter_delta (queue, job, state, n)
    VALUES (target, wanted.name, CASE WHEN due > now() THEN 'scheduled' ELSE 'queued' END, 1);
    RETURN pawl.run_name(number);
END
$$;

-- Ends a run that waits, in any of its waiting states; returns whether there was one. With a queue and job to check, so
-- that only the caller's idea of the run is ended.
CREATE FUNCTION pawl.cancel_waiting(number bigint, why text) RETURNS boolean LANGUAGE plpgsql AS $$
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
        cancel_reason)
    VALUES (gone.id, gone.queue, gone.rank, 'cancelled', gone.run_at, gone.job, gone.args, gone.max_attempts, gone.created_at,
        gone.retention, gone.trigger, gone.backoff, gone.timeout_ms, gone.title, gone.description, gone.labels, gone.owner,
        gone.organization, gone.retry_of, gone.schedule_id, gone.planned_at, gone.traceparent, gone.attempt,
        gone.attempts_used, gone.lost_count, gone.outcome, gone.reason, gone.error_code, gone.error_message,
        gone.error_details, gone.entities_processed, gone.entities_total, gone.current_stage, gone.outcome_summary,
        gone.host_id, gone.version, gone.started_at, clock_timestamp(), clock_timestamp(), why);
    INSERT INTO pawl.counter_delta (queue, job, state, n, last_run)
    VALUES (gone.queue, gone.job, gone.state, -1, NULL), (gone.queue, gone.job, 'cancelled', 1, gone.id);
    RETURN true;
END
$$;

-- Asks for a run's end, given by name: 'cancelled' (it waited), 'requested' (its host has been told), 'finished', or
-- null if there is none.
CREATE FUNCTION pawl.cancel(run text, why text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
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
