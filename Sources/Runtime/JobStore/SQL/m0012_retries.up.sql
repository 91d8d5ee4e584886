-- Runs are removed with what belongs to them; schedules have a retry policy of their own.

-- Keys of runs that are removed.
CREATE INDEX run_key_run ON pawl.run_key (run_id);

-- How long runs of a schedule wait for their next attempts; null: as their job says.
ALTER TABLE pawl.schedule ADD COLUMN backoff json;
