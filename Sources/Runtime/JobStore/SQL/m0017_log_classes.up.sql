-- Log lines by retention class, then by time, as runs and attempts: lines go when their job says. What was written so far is of
-- the class of 30 days, and stays where it is.

ALTER TABLE pawl.run_log RENAME TO run_log_30;
ALTER TABLE pawl.run_log_default RENAME TO run_log_30_default;
ALTER INDEX pawl.run_log_run RENAME TO run_log_30_run;
ALTER INDEX pawl.run_log_time RENAME TO run_log_30_time;
-- A program that knows no classes writes into the class of 30 days.
ALTER TABLE pawl.run_log_30 ADD COLUMN retention smallint NOT NULL DEFAULT 30;

ALTER TABLE pawl.run_log_index RENAME TO run_log_index_30;
ALTER TABLE pawl.run_log_index_default RENAME TO run_log_index_30_default;
DROP INDEX pawl.run_log_index_run;
ALTER TABLE pawl.run_log_index_30 ADD COLUMN retention smallint NOT NULL DEFAULT 30, ADD COLUMN first_time timestamptz,
    ADD COLUMN last_time timestamptz;

CREATE TABLE pawl.run_log (
    run_id bigint NOT NULL,
    -- attempt × 1,000,000,000 + number of the line
    seq bigint NOT NULL,
    attempt integer NOT NULL,
    time timestamptz NOT NULL,
    -- 0 handler, 1 stdout, 2 stderr, 3 host
    stream smallint NOT NULL CONSTRAINT run_log_stream_check CHECK (stream BETWEEN 0 AND 3),
    -- 0 debug, 1 info, 2 warning, 3 error
    level smallint NOT NULL CONSTRAINT run_log_level_check CHECK (level BETWEEN 0 AND 3),
    stage text,
    message text NOT NULL,
    fields json,
    -- days
    retention smallint NOT NULL DEFAULT 30
) PARTITION BY LIST (retention);
-- Not unique: see log_add.
CREATE INDEX run_log_run ON pawl.run_log (run_id, seq);
CREATE INDEX run_log_time ON pawl.run_log USING brin (time);

-- One row for each thousand lines, and for the rest of an attempt. Pages of a run do not overlap. Lines that are in none are
-- counted when somebody asks: the newest, and what a host that was killed had not written yet.
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
    -- of its last line
    time timestamptz NOT NULL DEFAULT now(),
    retention smallint NOT NULL DEFAULT 30,
    first_time timestamptz,
    last_time timestamptz
) PARTITION BY LIST (retention);
CREATE INDEX run_log_index_run ON pawl.run_log_index (run_id, last_seq);

DO $$
DECLARE
    old record;
    class record;
    base text;
BEGIN
    FOREACH base IN ARRAY ARRAY['run_log', 'run_log_index'] LOOP
        INSERT INTO pawl.partition_plan
        SELECT base || '_30', p.width_days, 30, p.time_column FROM pawl.partition_plan p WHERE p.parent = base;
        FOR old IN SELECT p.name, replace(p.name, base || '_', base || '_30_') AS new FROM pawl.partition p WHERE p.parent = base LOOP
            EXECUTE format('ALTER TABLE pawl.%I RENAME TO %I', old.name, old.new);
            UPDATE pawl.partition p SET name = old.new, parent = base || '_30' WHERE p.name = old.name;
        END LOOP;
        DELETE FROM pawl.partition_plan p WHERE p.parent = base;
        EXECUTE format('ALTER TABLE pawl.%I ATTACH PARTITION pawl.%I FOR VALUES IN (30)', base, base || '_30');
        FOR class IN SELECT * FROM (VALUES (1, 1), (7, 1), (90, 5), (365, 15)) AS c (days, width) LOOP
            EXECUTE format('CREATE TABLE pawl.%I PARTITION OF pawl.%I FOR VALUES IN (%s) PARTITION BY RANGE (time)',
                base || '_' || class.days, base, class.days);
            EXECUTE format('CREATE TABLE pawl.%I PARTITION OF pawl.%I DEFAULT', base || '_' || class.days || '_default',
                base || '_' || class.days);
            INSERT INTO pawl.partition_plan VALUES (base || '_' || class.days, class.width, class.days, 'time');
        END LOOP;
    END LOOP;
END
$$;
SELECT pawl.make_partitions(now());

-- As before, over the table that has all classes.
CREATE OR REPLACE VIEW pawl.log_line AS
SELECT run_id, seq, attempt, time, stream, level, stage, message, fields FROM pawl.run_log
UNION ALL
SELECT a.run_id, a.attempt * 1000000000::bigint + 1, a.attempt, a.ended_at, 3::smallint, 1::smallint, NULL::text, a.sentence,
    NULL::json
FROM pawl.attempt a
WHERE a.outcome = 'succeeded' AND a.sentence = 'It succeeded.' AND (
    -- The first one is enough; as NOT EXISTS all lines of a run would be joined (150 ms for 400,000, for each page of them).
    SELECT l.seq FROM pawl.run_log l
    WHERE l.run_id = a.run_id AND l.seq > a.attempt * 1000000000::bigint AND l.seq <= a.attempt * 1000000000::bigint + 999999999
        -- A day of grace for clocks that differ between hosts.
        AND l.time >= coalesce(a.claimed_at, '-infinity') - interval '1 day'
    ORDER BY l.seq LIMIT 1) IS NULL;

-- A member of a line's fields as text; null if it has none. Fields are kept as they came: what the server cannot read as text
-- (U+0000, half of a surrogate pair) must not break a search over the lines around it.
CREATE FUNCTION pawl.log_field(fields json, key text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN json_typeof(fields) <> 'object' THEN NULL
        WHEN strpos(fields::text, '\u') > 0
            AND regexp_replace(fields::text, '\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}', '', 'g') ~* '\\u(0000|d[89a-f])'
            THEN NULL
        ELSE fields ->> key END
$$;
