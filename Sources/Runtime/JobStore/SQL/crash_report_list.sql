-- crash_report_list: the newest crashes of a group. $1 fingerprint, $2 limit
SELECT run_id, attempt, fingerprint, frames, created_at FROM pawl.crash_report WHERE fingerprint = $1
ORDER BY run_id DESC, attempt DESC LIMIT $2
