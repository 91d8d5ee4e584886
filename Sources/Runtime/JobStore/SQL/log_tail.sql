-- log_tail: the last lines of a run, newest first. Arguments as in log_read.
SELECT DISTINCT ON (seq) seq, attempt, time, stream, level, stage, message, fields
FROM pawl.log_line
WHERE run_id = $1 AND time >= $2 AND seq > $3 AND ($5::smallint IS NULL OR level >= $5)
    AND ($6::smallint[] IS NULL OR stream = ANY ($6)) AND ($7::integer IS NULL OR attempt = $7)
    AND ($8::text IS NULL OR stage = $8)
ORDER BY seq DESC LIMIT $4
