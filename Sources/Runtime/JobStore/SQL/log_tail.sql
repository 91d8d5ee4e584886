-- log_tail: lines of a run, downward from a number. Arguments as in log_read.
WITH walked AS MATERIALIZED (
    SELECT seq, attempt, time, stream, level, stage, message, fields FROM pawl.run_log
    WHERE run_id = $1 AND time >= $2 AND time < $3 AND seq > $4 AND seq < $5
    ORDER BY seq DESC LIMIT $6
), seen AS (
    SELECT seq, attempt, time, stream, level, stage, message, fields FROM walked
    UNION ALL
    -- As pawl.log_line has it: attempts that succeeded without a word.
    SELECT a.attempt * 1000000000::bigint + 1, a.attempt, a.ended_at, 3::smallint, 1::smallint, NULL, a.sentence, NULL
    FROM pawl.attempt a
    WHERE a.run_id = $1 AND a.outcome = 'succeeded' AND a.sentence = 'It succeeded.' AND a.ended_at >= $2 AND a.ended_at < $3
        AND a.attempt * 1000000000::bigint + 1 > $4 AND a.attempt * 1000000000::bigint + 1 < $5
        AND a.attempt * 1000000000::bigint + 1 >= CASE WHEN (SELECT count(*) FROM walked) >= $6 THEN (SELECT min(seq) FROM walked) ELSE $4 + 1 END
        AND (SELECT l.seq FROM pawl.run_log l WHERE l.run_id = $1
            AND l.seq > a.attempt * 1000000000::bigint AND l.seq < (a.attempt + 1) * 1000000000::bigint
            ORDER BY l.seq LIMIT 1) IS NULL
), found AS (
    SELECT DISTINCT ON (seq) seq, attempt, time, stream, level, stage, message, fields FROM seen
    WHERE ($8::smallint IS NULL OR level >= $8) AND ($9::smallint[] IS NULL OR stream = ANY ($9))
        AND ($10::text IS NULL OR stage = $10)
        AND CASE $11::smallint
            WHEN 1 THEN strpos(lower(message), lower($12)) > 0 OR strpos(lower(fields::text), lower($12)) > 0
            WHEN 2 THEN strpos(message, $12) > 0 OR strpos(fields::text, $12) > 0
            WHEN 3 THEN message ~* $12 OR fields::text ~* $12
            WHEN 4 THEN message ~ $12 OR fields::text ~ $12
            ELSE true END
        AND ($13::text[] IS NULL OR NOT EXISTS (SELECT FROM unnest($13::text[], $14::text[]) AS f (key, value)
            WHERE pawl.log_field(fields, f.key) IS DISTINCT FROM f.value))
    ORDER BY seq DESC LIMIT $7
)
(SELECT seq, attempt, time, stream, level, stage, message, fields FROM found ORDER BY seq DESC)
UNION ALL
SELECT coalesce((SELECT min(seq) FROM seen), 0), (SELECT count(*) FROM walked)::integer, $2, 0::smallint, 0::smallint, NULL, '', NULL
