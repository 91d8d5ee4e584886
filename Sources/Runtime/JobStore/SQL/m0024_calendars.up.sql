-- Calendars by name, for schedules that keep clear of their days; what was put in place from files.

CREATE TABLE pawl.calendar (
    name text COLLATE pg_catalog."C" PRIMARY KEY,
    description text,
    -- {"dates": ["2026-12-25", …], "intervals": [{"from", "to"}, …]}: DateCalendar
    content json NOT NULL,
    -- which set of files it was applied from; null: made by hand
    applied_by text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    revision bigint NOT NULL DEFAULT 1
);
-- as of a calendar
ALTER TABLE pawl.schedule ADD COLUMN applied_by text;
