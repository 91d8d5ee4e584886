-- rules_lock: waits until no claim is under way, and holds up others until the end of this transaction.
SELECT pg_advisory_xact_lock(8097884910729035779)
