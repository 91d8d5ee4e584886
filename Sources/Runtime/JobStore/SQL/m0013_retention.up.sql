-- Failed runs may be kept for another time than the others.

-- In days; null: as `retention`.
ALTER TABLE pawl.job ADD COLUMN retention_failed smallint CHECK (retention_failed IN (1, 7, 30, 90, 365));

-- The class of a run that fails without a host that would know it. `own`: the run's.
CREATE FUNCTION pawl.failed_retention(job text, own smallint) RETURNS smallint LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT j.retention_failed FROM pawl.job j WHERE j.name = failed_retention.job), own)
$$;
