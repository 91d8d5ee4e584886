-- crash_note: attempts with a crash record that have just been settled by this host, in the same transaction, wait for
-- their frames' names. $1 host, $2 epoch, $3 ids, $4 attempts
INSERT INTO pawl.crash_pending (run_id, attempt, retention, ended_at, job, version, host_id)
SELECT a.run_id, a.attempt, a.retention, a.ended_at, a.job, a.version, $1
FROM unnest($3::bigint[], $4::bigint[]) AS i (id, attempt) CROSS JOIN LATERAL (
    SELECT * FROM pawl.attempt a
    WHERE a.run_id = i.id AND a.attempt = i.attempt AND a.host_id = $1 AND a.host_epoch = $2 AND a.outcome = 'crashed' LIMIT 1) a
WHERE NOT EXISTS (SELECT FROM pawl.crash_report r WHERE r.run_id = a.run_id AND r.attempt = a.attempt)
ON CONFLICT (run_id, attempt) DO NOTHING
