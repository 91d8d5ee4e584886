-- rules_share: nobody changes the rules of queues and jobs until the end of this transaction. In a statement before the one that
-- claims, so that that one sees every change that was made before.
SELECT pg_advisory_xact_lock_shared(8097884910729035779)
