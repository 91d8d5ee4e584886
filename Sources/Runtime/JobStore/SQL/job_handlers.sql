-- job_handlers: all handlers that jobs have, for near matches.
SELECT DISTINCT handler FROM pawl.job
