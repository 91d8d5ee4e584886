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

-- A schedule holds the calendars that it names, as a foreign key would: none is removed while a schedule that names it is being
-- written, and none that is gone can be named.
CREATE FUNCTION pawl.hold_calendars() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER schedule_calendars BEFORE INSERT OR UPDATE OF options ON pawl.schedule
    FOR EACH ROW WHEN ((NEW.options -> 'calendars' ->> 0) IS NOT NULL) EXECUTE FUNCTION pawl.hold_calendars();
