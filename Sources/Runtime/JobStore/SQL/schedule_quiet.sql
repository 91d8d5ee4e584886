-- schedule_quiet: waits until nobody is firing who may not have seen what was ordered before.
SELECT pg_advisory_xact_lock(8097884910729035780)
