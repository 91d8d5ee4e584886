-- log_index_read: lines of a run by level. $1 run, $2 written after
WITH page AS MATERIALIZED (
    SELECT first_seq, last_seq, lines, debug, info, warning, error FROM pawl.run_log_index WHERE run_id = $1
), gap AS (
    SELECT coalesce(lag(last_seq) OVER (ORDER BY first_seq), 0) AS after, first_seq AS before FROM page
    UNION ALL
    SELECT coalesce(max(last_seq), 0), 9223372036854775807 FROM page
), rest AS (
    -- A few: the newest lines, and what a host that was killed had counted and not written.
    SELECT l.level FROM gap g CROSS JOIN LATERAL (
        SELECT DISTINCT r.seq, r.level FROM pawl.run_log r
        WHERE r.run_id = $1 AND r.time >= $2 AND r.seq > g.after AND r.seq < g.before) l
    WHERE g.before > g.after + 1
), part AS (
    SELECT lines, debug, info, warning, error FROM page
    UNION ALL
    SELECT count(*), count(*) FILTER (WHERE level = 0), count(*) FILTER (WHERE level = 1), count(*) FILTER (WHERE level = 2),
        count(*) FILTER (WHERE level = 3)
    FROM rest
    UNION ALL
    -- As pawl.log_line has it: attempts that succeeded without a word.
    SELECT 1, 0, 1, 0, 0 FROM pawl.attempt a
    WHERE a.run_id = $1 AND a.outcome = 'succeeded' AND a.sentence = 'It succeeded.'
        AND (SELECT l.seq FROM pawl.run_log l WHERE l.run_id = $1
            AND l.seq > a.attempt * 1000000000::bigint AND l.seq < (a.attempt + 1) * 1000000000::bigint
            ORDER BY l.seq LIMIT 1) IS NULL
)
SELECT sum(lines)::bigint, sum(debug)::bigint, sum(info)::bigint, sum(warning)::bigint, sum(error)::bigint FROM part
