-- stats_series_times: the histograms that belong to stats_series, packed as in pawl.rollup. Same arguments.
SELECT date_bin($4::bigint * interval '1 second', at, 'epoch') AS at, string_agg(wait, ''::bytea) AS wait,
    string_agg(run, ''::bytea) AS run
FROM pawl.rollup
WHERE step_s = $1 AND at >= $2 AND at < $3 AND queue >= $5 AND queue <= $6 AND job >= $7 AND job <= $8
    AND (wait <> '' OR run <> '')
GROUP BY 1 ORDER BY 1
