-- Unique keys: of requests with equal parts only one has a run at a time. The key's row says which run holds it; whether that run
-- is still in the window is looked up when somebody else wants the key, so that nothing that ends, starts or moves a run has to
-- know of keys. Keys of batches keep what was answered.

ALTER TABLE pawl.run_key DROP CONSTRAINT run_key_kind_check;
ALTER TABLE pawl.run_key ADD CONSTRAINT run_key_kind_check CHECK (kind IN ('idempotency', 'unique', 'batch'));
-- A batch has many runs.
ALTER TABLE pawl.run_key ALTER COLUMN run_id DROP NOT NULL;
-- Up to which state of its run a unique key is held; null: until it expires.
ALTER TABLE pawl.run_key ADD COLUMN until text COLLATE "C" CHECK (until IN ('started', 'finished'));
-- When to look whether its run has reached that state: such keys do not expire.
ALTER TABLE pawl.run_key ADD COLUMN look_at timestamptz;
-- What was answered to a batch, without what its request says.
ALTER TABLE pawl.run_key ADD COLUMN answer json;
CREATE INDEX run_key_look ON pawl.run_key (look_at) WHERE look_at IS NOT NULL;

-- What a request has in common with others that it excludes, as a key. `uniqueness` has `key` (the caller's own) and `by` (parts of
-- the request: job, queue, owner, organization, args, args.NAME for one of their members).
CREATE FUNCTION pawl.unique_key(uniqueness jsonb, job text, queue text, owner text, organization text, args json)
RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
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

-- A run that has not started and is still waiting: deleted, so that another request can take its place. Null if it has started, or is
-- gone.
CREATE FUNCTION pawl.take_unstarted(number bigint, OUT queue text, OUT rank integer, OUT pos bigint, OUT created_at timestamptz)
LANGUAGE plpgsql AS $$
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

-- Takes a unique key for the run `number`, by the rules of `uniqueness` (pawl.unique_key explains `key` and `by`; `until` or `period_ms` is the
-- window, `policy` what to do when another run is in it, `if_started` what `replace` does when that one has started).
-- Answers the verdict: 'made' (the key is the new run's), 'replaced' (it takes the place of run_id, which was waiting and is deleted;
-- its place is in queue, rank, pos, created_at), 'existing' and 'conflict' (run_id holds it).
CREATE FUNCTION pawl.take_unique_key(wanted text, uniqueness jsonb, number bigint, due timestamptz, OUT verdict text,
    OUT run_id bigint, OUT queue text, OUT rank integer, OUT pos bigint, OUT created_at timestamptz)
LANGUAGE plpgsql AS $$
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

-- Takes one request. Answers what became of it: 'made', 'replaced' (a waiting run has become this request), 'existing' and
-- 'conflict' (run_id holds its unique key), 'known' (run_id is its idempotency key's), 'key_reused' (of another request), or 'no_job';
-- of the first two also where the run is (pos is null: it waits for its time). The state is null if the run is gone.
CREATE FUNCTION pawl.put_run(job text, args json, queue text, priority bigint, run_at timestamptz, delay_ms bigint, attempts bigint,
    backoff json, timeout_ms bigint, title text, description text, labels jsonb, owner text, organization text, retry_of bigint,
    schedule_id bigint, planned_at timestamptz, trigger text, traceparent text, idempotency_key text, fingerprint text,
    queue_ms bigint, uniqueness jsonb, unique_key text, OUT verdict text, OUT run_id bigint, OUT run_queue text,
    OUT run_rank integer, OUT run_pos bigint, OUT run_lane text, OUT run_due timestamptz, OUT run_created timestamptz, OUT run_attempts integer,
    OUT run_expires timestamptz, OUT run_retention smallint, OUT run_state text)
LANGUAGE plpgsql AS $$
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

-- Whether a value is a whole number in a range.
CREATE FUNCTION pawl.is_whole(value jsonb, low bigint, high bigint) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF jsonb_typeof(value) <> 'number' OR value #>> '{}' !~ '^-?[0-9]{1,15}$' THEN
        RETURN false;
    END IF;
    RETURN (value #>> '{}')::bigint BETWEEN low AND high;
END
$$;

-- What is wrong with the option `unique`; null: nothing.
CREATE FUNCTION pawl.unique_fault(uniqueness jsonb) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
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

-- Raises 22023 unless the options say in the right way what they say.
CREATE FUNCTION pawl.check_options(options jsonb) RETURNS void LANGUAGE plpgsql IMMUTABLE AS $$
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

-- Requests a run; returns its name. Options: queue, priority, run_at, delay_ms, attempts, backoff, timeout_ms, queue_ms, title,
-- description, labels, owner, organization, idempotency_key, unique. Raises 22023 (invalid_parameter_value) for what it does not
-- understand, 42704 (undefined_object) for an unknown job, 23505 (unique_violation) if the unique key is held and its policy does
-- not say otherwise; DETAIL is the name of the run that holds it.
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
