-- log_index_read: lines of a run by level; one for each attempt that succeeded without a word. $1 run
SELECT coalesce(sum(lines), 0)::bigint, coalesce(sum(debug), 0)::bigint, coalesce(sum(info), 0)::bigint,
    coalesce(sum(warning), 0)::bigint, coalesce(sum(error), 0)::bigint
FROM (
    SELECT lines, debug, info, warning, error FROM pawl.run_log_index WHERE run_id = $1
    UNION ALL
    SELECT 1, 0, 1, 0, 0 FROM pawl.attempt a
    WHERE a.run_id = $1 AND a.outcome = 'succeeded' AND a.sentence = 'It succeeded.'
        AND NOT EXISTS (SELECT FROM pawl.run_log_index i WHERE i.run_id = $1 AND i.attempt = a.attempt)) l
