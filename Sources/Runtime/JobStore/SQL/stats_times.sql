-- stats_times: the histograms that belong to stats_read, packed as in pawl.rollup. Same arguments.
SELECT queue, job, coalesce(string_agg(wait, ''::bytea), '') AS wait, coalesce(string_agg(run, ''::bytea), '') AS run
FROM (
    SELECT queue, job, wait, run FROM pawl.rollup WHERE step_s = $1 AND at >= $2 AND at < $3
    UNION ALL
    SELECT queue, job, wait, run FROM pawl.rollup WHERE step_s = $4 AND at >= $3 AND at < $7
    UNION ALL
    SELECT queue, job, (SELECT string_agg(int8send(512 + (span >> 9)), ''::bytea) FROM unnest(spans) AS span),
        (SELECT string_agg(int8send(512 + (span & 511)), ''::bytea) FROM unnest(spans) AS span)
    FROM pawl.counter_delta WHERE spans IS NOT NULL AND at >= $2
) r
WHERE queue <> '' AND ($5::text IS NULL OR queue = $5) AND ($6::text IS NULL OR job = $6) AND (wait <> '' OR run <> '')
GROUP BY queue, job
