-- job_names: all names, for near matches.
SELECT name FROM pawl.job
