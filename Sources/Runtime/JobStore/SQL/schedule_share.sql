-- schedule_share: nobody orders an end of scheduling until the end of this transaction. In a statement before the one that looks for such an
-- order, so that that one sees every order that was given before.
SELECT pg_advisory_xact_lock_shared(8097884910729035780)
