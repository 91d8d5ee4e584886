-- log_add: lines that may be there already: of a COPY whose answer was lost, of a file that was read before. One array element for
-- each line. Slower than COPY, so only for those.
INSERT INTO pawl.run_log (run_id, seq, attempt, time, stream, level, stage, message, fields, retention)
SELECT n.run_id, n.seq, n.attempt, n.time, n.stream, n.level, n.stage, n.message, n.fields, n.retention
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::timestamptz[], $5::smallint[], $6::smallint[], $7::text[], $8::text[],
    $9::json[], $10::smallint[]) AS n (run_id, seq, attempt, time, stream, level, stage, message, fields, retention)
WHERE NOT EXISTS (SELECT FROM pawl.run_log l
    WHERE l.run_id = n.run_id AND l.seq = n.seq AND l.retention = n.retention AND l.time = n.time)
