-- quarantine_record: takes a version out of service, or for longer. $1 handler, $2 version, $3 since, $4 pause in ms, $5 level,
-- $6 crashes, $7 attempts, $8 reason
INSERT INTO pawl.quarantine AS q (handler, version, since, until, level, crashes, attempts, reason)
VALUES ($1, $2, $3, now() + $4::bigint * interval '1 millisecond', $5, $6, $7, $8)
ON CONFLICT (handler, version) DO UPDATE SET until = greatest(q.until, excluded.until), level = greatest(q.level, excluded.level),
    crashes = excluded.crashes, attempts = excluded.attempts, reason = excluded.reason, trial_host = NULL, trial_epoch = NULL
RETURNING since, until, level
