-- counter_fold: folds the appended differences together.
WITH taken AS (
    DELETE FROM pawl.counter_delta RETURNING queue, job, state, n, at, run_ms, last_run
), folded AS (
    INSERT INTO pawl.run_counter AS c (queue, job, state, n, last_at, last_run)
    -- What is removed from history was never the last that happened.
    SELECT queue, job, state, sum(n), coalesce(max(at) FILTER (WHERE n > 0), 'epoch'), max(last_run)
    FROM taken GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (queue, job, state) DO UPDATE
    SET n = c.n + excluded.n, last_at = greatest(c.last_at, excluded.last_at), last_run = greatest(c.last_run, excluded.last_run)
), minutes AS (
    INSERT INTO pawl.run_minute AS m (minute, queue, job, state, n, run_ms)
    SELECT date_trunc('minute', at), queue, job, state, sum(n), coalesce(sum(run_ms), 0)
    -- Runs that are removed have finished all the same.
    FROM taken WHERE state IN ('succeeded', 'failed', 'cancelled') AND n > 0 GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
    ON CONFLICT (minute, queue, job, state) DO UPDATE SET n = m.n + excluded.n, run_ms = m.run_ms + excluded.run_ms
)
SELECT count(*) FROM taken
