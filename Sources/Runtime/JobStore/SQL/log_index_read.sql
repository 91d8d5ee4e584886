-- log_index_read: lines of a run by level. $1 run
SELECT coalesce(sum(lines), 0)::bigint, coalesce(sum(debug), 0)::bigint, coalesce(sum(info), 0)::bigint,
    coalesce(sum(warning), 0)::bigint, coalesce(sum(error), 0)::bigint
FROM pawl.run_log_index WHERE run_id = $1
