-- job_source: a job whose handler is this one, its own first. Held, so that what it says of the handler is not changed before
-- the job that takes it over can be seen. $1 handler
SELECT name FROM pawl.job WHERE handler = $1 ORDER BY name <> handler, name LIMIT 1 FOR SHARE
