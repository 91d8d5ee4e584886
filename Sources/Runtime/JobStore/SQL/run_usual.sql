-- run_usual: how long runs of these jobs took that succeeded in the last week: histograms, packed as in pawl.rollup. $1 jobs
SELECT job, string_agg(run, ''::bytea) AS run FROM pawl.rollup
WHERE step_s = 86400 AND at > now() - interval '8 days' AND job = ANY ($1::text[]) AND queue <> '' AND state = 'succeeded' AND run <> ''
GROUP BY job
