-- run_remove_logs: some log lines of runs, in the order of their index. Answers how many; none when there are no more.
-- $1 runs, $2 limit
WITH head AS (
    SELECT line.run_id, line.seq FROM unnest($1::bigint[]) AS r (id) CROSS JOIN LATERAL (
        SELECT l.run_id, l.seq FROM pawl.run_log l WHERE l.run_id = r.id ORDER BY l.seq LIMIT $2) line
    LIMIT $2
), reach AS (
    SELECT run_id, max(seq) AS last FROM head GROUP BY run_id
), gone AS (
    DELETE FROM pawl.run_log l USING reach r WHERE l.run_id = r.run_id AND l.seq <= r.last RETURNING 1
)
SELECT count(*) FROM gone
