-- attempt_list: the newest attempts of a run, the newest first. $1 run, $2 limit
SELECT attempt, outcome, reason, host_id, host_epoch, pid, version, claimed_at, started_at, ended_at, exit_code, signal,
    error_code, error_message, error_details, user_cpu_us, system_cpu_us, max_rss_bytes, minor_faults, major_faults, blocks_in,
    blocks_out, voluntary_switches, involuntary_switches, outcome_summary, detail, sentence
FROM pawl.attempt WHERE run_id = $1
UNION ALL
SELECT attempt, NULL, NULL, host_id, host_epoch, pid, version, claimed_at, started_at, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0,
    0, 0, 0, 0, 0, 0, 0, outcome_summary, NULL, NULL
FROM pawl.run_live WHERE id = $1 AND state = 'running'
ORDER BY attempt DESC LIMIT $2
