-- upkeep_crashes: forgets crash reports with their attempts, some at a time; groups unseen for a year; versions that have long
-- been out of quarantine.
WITH groups AS (
    DELETE FROM pawl.error_group WHERE last_seen_at < now() - interval '366 days'
), quarantines AS (
    DELETE FROM pawl.quarantine WHERE until < now() - interval '30 days'
)
DELETE FROM pawl.crash_report WHERE (run_id, attempt) IN (
    SELECT run_id, attempt FROM pawl.crash_report WHERE expires_at <= now() ORDER BY expires_at LIMIT 5000)
