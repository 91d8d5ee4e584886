-- rules_share_soon: rules_share for a transaction that others wait for: after a fifth of a second it gives up.
SELECT set_config('lock_timeout', '200', true), pg_advisory_xact_lock_shared(8097884910729035779)
