-- What fires: one host at a time, also after what happens rather than at times; runs that wait for their turn; runs of times gone by.

ALTER TABLE pawl.schedule DROP CONSTRAINT schedule_kind_check;
ALTER TABLE pawl.schedule ADD CONSTRAINT schedule_kind_check
    CHECK (kind IN ('once', 'interval', 'cron', 'calendar', 'oncalendar', 'rrule', 'after', 'event'));
-- When one that could not fire is tried again. Its planned time stays what it is.
ALTER TABLE pawl.schedule ADD COLUMN retry_at timestamptz;
DROP INDEX pawl.schedule_due;
CREATE INDEX schedule_due ON pawl.schedule (coalesce(retry_at, next_at)) WHERE enabled AND next_at IS NOT NULL;
-- Whose ends it waits for.
ALTER TABLE pawl.schedule ADD COLUMN after_job text COLLATE "C"
    GENERATED ALWAYS AS (CASE WHEN kind = 'after' THEN spec ->> 'job' END) STORED;
CREATE INDEX schedule_after ON pawl.schedule (after_job) WHERE after_job IS NOT NULL AND enabled;

-- What made it: its time, somebody's hand, a backfill, the end of another job's run, something that happened to a host.
ALTER TABLE pawl.schedule_occurrence ADD COLUMN source text NOT NULL DEFAULT 'time'
    CONSTRAINT schedule_occurrence_source_check CHECK (source IN ('time', 'manual', 'backfill', 'after', 'event'));
-- Of the last two, which: run_…, or host_start with host and epoch.
ALTER TABLE pawl.schedule_occurrence ADD COLUMN event text;
CREATE UNIQUE INDEX schedule_occurrence_event ON pawl.schedule_occurrence (schedule_id, event) WHERE event IS NOT NULL;

-- What has happened and has not been fired yet.
CREATE TABLE pawl.schedule_event (
    schedule_id bigint NOT NULL REFERENCES pawl.schedule (id) ON DELETE CASCADE,
    event text NOT NULL,
    due_at timestamptz NOT NULL,
    PRIMARY KEY (schedule_id, event)
);
CREATE INDEX schedule_event_due ON pawl.schedule_event (schedule_id, due_at);
-- Those for which there may be any.
CREATE INDEX schedule_of_events ON pawl.schedule (id) WHERE kind IN ('after', 'event');

-- Each end of a run is one event for each schedule that waits for it, in the transaction of the end: none is lost, none comes twice.
CREATE FUNCTION pawl.note_ends() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER run_ended AFTER INSERT ON pawl.run REFERENCING NEW TABLE AS ended
    FOR EACH STATEMENT EXECUTE FUNCTION pawl.note_ends();

-- Runs of times gone by, so many at once. It goes on when its schedule is deleted: runs that it made stay.
CREATE TABLE pawl.schedule_backfill (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    schedule_id bigint NOT NULL,
    from_at timestamptz NOT NULL,
    to_at timestamptz NOT NULL,
    max_parallel integer NOT NULL CHECK (max_parallel > 0),
    runs integer NOT NULL,
    actor text,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- Its last run has ended.
    ended_at timestamptz
);
CREATE INDEX schedule_backfill_open ON pawl.schedule_backfill (id) WHERE ended_at IS NULL;

-- Runs that are kept back until others of their schedule have ended (queue_one), or of their backfill; of these also those that go.
CREATE TABLE pawl.schedule_turn (
    run_id bigint PRIMARY KEY,
    schedule_id bigint NOT NULL,
    backfill_id bigint REFERENCES pawl.schedule_backfill (id),
    is_waiting boolean NOT NULL
);
CREATE INDEX schedule_turn_backfill ON pawl.schedule_turn (backfill_id, run_id);
CREATE INDEX schedule_turn_schedule ON pawl.schedule_turn (schedule_id) WHERE backfill_id IS NULL;

-- When the holder of a role last said that it is there, where its heartbeat is not soon enough.
ALTER TABLE pawl.holding ADD COLUMN renewed_at timestamptz;
ALTER TABLE pawl.holding DROP CONSTRAINT holding_end_reason_check;
ALTER TABLE pawl.holding ADD CONSTRAINT holding_end_reason_check
    CHECK (end_reason IN ('restarted', 'silent', 'stopped', 'shared', 'overdue'));

-- By which release of the time zone database the next times were worked out.
CREATE TABLE pawl.schedule_clock (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    zone_release text
);
INSERT INTO pawl.schedule_clock DEFAULT VALUES;
