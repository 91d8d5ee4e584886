-- Partitions of history, attempts, logs and events: made ahead, dropped when their time is over. Each range has a default
-- partition, so that no row is ever refused for want of one.

CREATE TABLE pawl.partition_plan (
    parent text PRIMARY KEY,
    width_days integer NOT NULL,
    keep_days integer NOT NULL,
    -- Time column, for rows that ended up in the default partition.
    time_column text NOT NULL
);

CREATE TABLE pawl.partition (
    name text PRIMARY KEY,
    parent text NOT NULL REFERENCES pawl.partition_plan (parent),
    lower timestamptz NOT NULL,
    upper timestamptz NOT NULL
);

DO $$
DECLARE
    class record;
BEGIN
    FOR class IN SELECT * FROM (VALUES (1, 1), (7, 1), (30, 3), (90, 10), (365, 30)) AS c (days, width) LOOP
        EXECUTE format('CREATE TABLE pawl.run_%s PARTITION OF pawl.run FOR VALUES IN (%s) PARTITION BY RANGE (finished_at)',
            class.days, class.days);
        EXECUTE format('CREATE TABLE pawl.run_%s_default PARTITION OF pawl.run_%s DEFAULT', class.days, class.days);
        EXECUTE format('CREATE TABLE pawl.attempt_%s PARTITION OF pawl.attempt FOR VALUES IN (%s) PARTITION BY RANGE (ended_at)',
            class.days, class.days);
        EXECUTE format('CREATE TABLE pawl.attempt_%s_default PARTITION OF pawl.attempt_%s DEFAULT', class.days, class.days);
        INSERT INTO pawl.partition_plan VALUES
            (format('run_%s', class.days), class.width, class.days, 'finished_at'),
            (format('attempt_%s', class.days), class.width, class.days, 'ended_at');
    END LOOP;
END
$$;
CREATE TABLE pawl.run_log_default PARTITION OF pawl.run_log DEFAULT;
CREATE TABLE pawl.run_log_index_default PARTITION OF pawl.run_log_index DEFAULT;
CREATE TABLE pawl.run_event_default PARTITION OF pawl.run_event DEFAULT;
INSERT INTO pawl.partition_plan VALUES
    ('run_log', 1, 30, 'time'), ('run_log_index', 7, 30, 'time'), ('run_event', 7, 90, 'time');

-- Makes what is missing of the present partition and the next two of each table; returns how many it made. A range whose
-- rows are in the default partition already stays there.
CREATE FUNCTION pawl.make_partitions(at timestamptz) RETURNS integer LANGUAGE plpgsql AS $$
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

-- Drops partitions that have been over for their retention time; returns how many.
CREATE FUNCTION pawl.drop_partitions(at timestamptz) RETURNS integer LANGUAGE plpgsql AS $$
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
$$;

SELECT pawl.make_partitions(now());
