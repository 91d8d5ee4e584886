-- emergency_off: lifts these, and has all hosts look for work. $1 modes
WITH gone AS (
    DELETE FROM pawl.emergency WHERE mode = ANY ($1::text[]) RETURNING mode
), woken AS (
    SELECT pg_notify('pawl_wake', '*') FROM gone LIMIT 1
)
SELECT mode, (SELECT count(*) FROM woken) FROM gone
