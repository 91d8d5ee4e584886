-- log_index_add: how many lines were written, by run, attempt and level.
INSERT INTO pawl.run_log_index (run_id, attempt, first_seq, last_seq, lines, debug, info, warning, error)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
    $9::bigint[])
