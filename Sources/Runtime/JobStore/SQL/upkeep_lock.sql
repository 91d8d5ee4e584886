-- upkeep_lock: one host at a time does the upkeep, until the end of the transaction. $1 key
SELECT pg_try_advisory_xact_lock($1)
