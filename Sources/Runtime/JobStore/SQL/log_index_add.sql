-- log_index_add: how many lines were written, by run, attempt and level. Pages do not overlap: one that would (its lines were read
-- from a file twice) is left out, and what is in no page is counted by log_index_read.
INSERT INTO pawl.run_log_index (run_id, attempt, first_seq, last_seq, retention, first_time, last_time, time, lines, debug, info,
    warning, error)
SELECT n.run_id, n.attempt, n.first_seq, n.last_seq, n.retention, n.first_time, n.last_time, n.last_time, n.lines, n.debug, n.info,
    n.warning, n.error
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::timestamptz[], $7::timestamptz[],
        $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[])
    AS n (run_id, attempt, first_seq, last_seq, retention, first_time, last_time, lines, debug, info, warning, error)
WHERE NOT EXISTS (SELECT FROM pawl.run_log_index i
    WHERE i.run_id = n.run_id AND i.last_seq >= n.first_seq AND i.first_seq <= n.last_seq)
