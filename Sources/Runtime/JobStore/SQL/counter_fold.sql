-- counter_fold: folds the appended differences together: into the counters, and into the rollups of every length. Those
-- with an empty queue and job are of all of them.
WITH taken AS (
    DELETE FROM pawl.counter_delta RETURNING queue, job, state, n, at, last_run, wait_us, run_us, spans
), folded AS (
    INSERT INTO pawl.run_counter AS c (queue, job, state, n, last_at, last_run)
    -- What is removed from history was never the last that happened.
    SELECT queue, job, state, sum(n), coalesce(max(at) FILTER (WHERE n > 0), 'epoch'), max(last_run)
    FROM taken GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (queue, job, state) DO UPDATE
    SET n = c.n + excluded.n, last_at = greatest(c.last_at, excluded.last_at), last_run = greatest(c.last_run, excluded.last_run)
), entered AS (
    -- First by the shortest step: the others are made of its few rows.
    SELECT date_bin('10 seconds', at, 'epoch') AS at, queue, job, state, sum(n) AS n, coalesce(sum(wait_us), 0) AS wait_us,
        coalesce(sum(run_us), 0) AS run_us
    FROM taken WHERE n > 0 GROUP BY 1, 2, 3, 4
), spans AS (
    SELECT date_bin('10 seconds', at, 'epoch') AS at, queue, job, state, span, count(*) AS n
    FROM taken CROSS JOIN unnest(spans) AS span GROUP BY 1, 2, 3, 4, 5
), timed AS (
    SELECT at, queue, job, state, of.is_wait, of.bucket, sum(n) AS n
    FROM spans CROSS JOIN LATERAL (VALUES (true, span >> 9), (false, span & 511)) AS of (is_wait, bucket)
    GROUP BY 1, 2, 3, 4, 5, 6
), sums AS (
    SELECT step_s, date_bin(step_s * interval '1 second', at, 'epoch') AS at, coalesce(queue, '') AS queue,
        coalesce(job, '') AS job, state, sum(n) AS n, sum(wait_us) AS wait_us, sum(run_us) AS run_us
    FROM entered CROSS JOIN pawl.rollup_plan
    GROUP BY 1, 2, 5, GROUPING SETS ((entered.queue, entered.job), ())
), histograms AS (
    SELECT step_s, at, queue, job, state, string_agg(packed, ''::bytea) FILTER (WHERE is_wait) AS wait,
        string_agg(packed, ''::bytea) FILTER (WHERE NOT is_wait) AS run
    FROM (
        SELECT step_s, date_bin(step_s * interval '1 second', at, 'epoch') AS at, coalesce(queue, '') AS queue,
            coalesce(job, '') AS job, state, is_wait, int8send(sum(n)::bigint * 512 + bucket) AS packed
        FROM timed CROSS JOIN pawl.rollup_plan
        GROUP BY 1, 2, 5, 6, bucket, GROUPING SETS ((timed.queue, timed.job), ())) s
    GROUP BY 1, 2, 3, 4, 5
), rolled AS (
    INSERT INTO pawl.rollup AS r (step_s, at, queue, job, state, n, wait_us, run_us, wait, run)
    SELECT s.*, coalesce(h.wait, ''), coalesce(h.run, '')
    FROM sums s LEFT JOIN histograms h USING (step_s, at, queue, job, state)
    ON CONFLICT (step_s, queue, job, at, state) DO UPDATE
    SET n = r.n + excluded.n, wait_us = r.wait_us + excluded.wait_us, run_us = r.run_us + excluded.run_us,
        wait = CASE WHEN octet_length(r.wait) < 1200 THEN r.wait || excluded.wait
            ELSE pawl.histogram_compact(r.wait || excluded.wait) END,
        run = CASE WHEN octet_length(r.run) < 1200 THEN r.run || excluded.run
            ELSE pawl.histogram_compact(r.run || excluded.run) END
)
SELECT count(*) FROM taken
