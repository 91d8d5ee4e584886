-- log_read: lines of a run, upward from a number. $1 run, $2 written after (to leave old partitions out), $3 after seq,
-- $4 limit, $5 lowest level, $6 streams, $7 attempt, $8 stage
SELECT DISTINCT ON (seq) seq, attempt, time, stream, level, stage, message, fields
FROM pawl.log_line
WHERE run_id = $1 AND time >= $2 AND seq > $3 AND ($5::smallint IS NULL OR level >= $5)
    AND ($6::smallint[] IS NULL OR stream = ANY ($6)) AND ($7::integer IS NULL OR attempt = $7)
    AND ($8::text IS NULL OR stage = $8)
ORDER BY seq LIMIT $4
