-- pulse_note: what a host says of its runs; what it says nothing of any more is forgotten. $1 host, $2 epoch, then one array element
-- for each
WITH mine AS (
    -- Two attempts of one run may be here, one of them on its way out.
    SELECT DISTINCT ON (i.run_id) i.* FROM unnest($3::bigint[], $4::bigint[], $5::timestamptz[], $6::timestamptz[], $7::bigint[], $8::bigint[], $9::bigint[],
        $10::boolean[], $11::timestamptz[])
        AS i (run_id, attempt, progressed_at, busy_at, cpu_ms, rss_bytes, processes, is_frozen, deadline)
    WHERE EXISTS (SELECT FROM pawl.host h WHERE h.id = $1 AND h.epoch = $2 AND h.state IN ('running', 'stopping'))
    ORDER BY i.run_id, i.attempt DESC
), gone AS (
    DELETE FROM pawl.run_pulse p WHERE p.host_id = $1 AND NOT EXISTS (SELECT FROM mine m WHERE m.run_id = p.run_id)
), old AS (
    -- Of hosts that say nothing any more.
    DELETE FROM pawl.run_pulse p WHERE p.host_id <> $1 AND p.noted_at < now() - interval '1 hour'
)
INSERT INTO pawl.run_pulse AS p (run_id, attempt, host_id, noted_at, progressed_at, busy_at, cpu_ms, rss_bytes, processes, is_frozen,
    deadline)
SELECT run_id, attempt, $1, now(), progressed_at, busy_at, cpu_ms, rss_bytes, processes, is_frozen, deadline FROM mine
ON CONFLICT (run_id) DO UPDATE SET attempt = excluded.attempt, host_id = excluded.host_id, noted_at = excluded.noted_at,
    progressed_at = excluded.progressed_at, busy_at = excluded.busy_at, cpu_ms = excluded.cpu_ms, rss_bytes = excluded.rss_bytes,
    processes = excluded.processes, is_frozen = excluded.is_frozen, deadline = excluded.deadline
