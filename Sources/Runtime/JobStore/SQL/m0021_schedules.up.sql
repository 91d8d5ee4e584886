-- Schedules of more kinds, with options; why a planned time made no run.

ALTER TABLE pawl.schedule DROP CONSTRAINT schedule_kind_check;
ALTER TABLE pawl.schedule ADD CONSTRAINT schedule_kind_check
    CHECK (kind IN ('once', 'interval', 'cron', 'calendar', 'oncalendar', 'rrule'));
-- {"dst", "catch_up", "overlap", "jitter_ms", …}: ScheduleOptions; empty: as of old
ALTER TABLE pawl.schedule ADD COLUMN options json NOT NULL DEFAULT '{}';
-- which of its times next_at is, from 0: for every n-th
ALTER TABLE pawl.schedule ADD COLUMN ordinal bigint NOT NULL DEFAULT 0;
ALTER TABLE pawl.schedule ADD COLUMN paused_at timestamptz;
ALTER TABLE pawl.schedule ADD COLUMN paused_until timestamptz;
ALTER TABLE pawl.schedule ADD COLUMN pause_reason text;
-- so many of its next times are left out; all up to a time
ALTER TABLE pawl.schedule ADD COLUMN skip_next integer NOT NULL DEFAULT 0;
ALTER TABLE pawl.schedule ADD COLUMN skip_until timestamptz;
-- null: it fired
ALTER TABLE pawl.schedule_occurrence ADD COLUMN reason text
    CONSTRAINT schedule_occurrence_reason_check
    CHECK (reason IN ('missed', 'overlap', 'paused', 'blackout', 'calendar', 'skipped'));
-- The latest runs of a schedule, past the times that made none.
CREATE INDEX schedule_occurrence_run ON pawl.schedule_occurrence (schedule_id, planned_at DESC) WHERE run_id IS NOT NULL;
