-- log_window: between which lines of a run to look for what was written in a time, so that the rest need not be walked. Lines of
-- different streams may be a little out of order: whole pages count. $1 run, $2 from, $3 before (null: no bound)
WITH page AS MATERIALIZED (
    SELECT first_seq, last_seq, coalesce(first_time, last_time, time) AS first_time, coalesce(last_time, time) AS last_time
    FROM pawl.run_log_index WHERE run_id = $1
)
SELECT
    -- after the last page before the first one that reaches into it
    coalesce((SELECT max(last_seq) FROM page WHERE $2::timestamptz IS NOT NULL
        AND last_seq < coalesce((SELECT min(first_seq) FROM page WHERE last_time >= $2), 9223372036854775807)), 0),
    -- before the first page behind the last one that begins in it
    coalesce((SELECT min(first_seq) FROM page WHERE $3::timestamptz IS NOT NULL
        AND first_seq > coalesce((SELECT max(last_seq) FROM page WHERE first_time < $3), 0)), 9223372036854775807)
