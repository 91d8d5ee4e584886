-- crash_report: $1 run, $2 attempt
SELECT run_id, attempt, fingerprint, frames, created_at FROM pawl.crash_report WHERE run_id = $1 AND attempt = $2
