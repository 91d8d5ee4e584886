-- crash_file: files a crash that waited, exactly once: the DELETE and the report's key decide. $1 run, $2 attempt,
-- $3 fingerprint, $4 frames, $5 title, $6 handler, $7 plugin, $8 signal
WITH taken AS (
    DELETE FROM pawl.crash_pending WHERE run_id = $1 AND attempt = $2 RETURNING *
), report AS (
    INSERT INTO pawl.crash_report (run_id, attempt, fingerprint, frames, expires_at)
    SELECT run_id, attempt, $3, $4, ended_at + make_interval(days => retention) FROM taken
    ON CONFLICT (run_id, attempt) DO NOTHING
    RETURNING run_id, attempt
), grouped AS (
    INSERT INTO pawl.error_group AS g (fingerprint, kind, title, job, handler, plugin, signal, first_seen_at, last_seen_at,
        first_version, last_version, sample_run, sample_attempt)
    SELECT $3, 'crash', $5, t.job, $6, $7, $8, t.ended_at, t.ended_at, t.version, t.version, t.run_id, t.attempt
    FROM taken t JOIN report USING (run_id, attempt)
    ON CONFLICT (fingerprint) DO UPDATE SET count = g.count + 1,
        first_seen_at = least(g.first_seen_at, excluded.first_seen_at),
        first_version = CASE WHEN excluded.first_seen_at < g.first_seen_at THEN excluded.first_version ELSE g.first_version END,
        title = CASE WHEN excluded.last_seen_at >= g.last_seen_at THEN excluded.title ELSE g.title END,
        job = CASE WHEN excluded.last_seen_at >= g.last_seen_at THEN excluded.job ELSE g.job END,
        handler = CASE WHEN excluded.last_seen_at >= g.last_seen_at THEN excluded.handler ELSE g.handler END,
        plugin = CASE WHEN excluded.last_seen_at >= g.last_seen_at THEN excluded.plugin ELSE g.plugin END,
        last_version = CASE WHEN excluded.last_seen_at >= g.last_seen_at THEN excluded.last_version ELSE g.last_version END,
        sample_run = CASE WHEN excluded.last_seen_at >= g.last_seen_at THEN excluded.sample_run ELSE g.sample_run END,
        sample_attempt = CASE WHEN excluded.last_seen_at >= g.last_seen_at THEN excluded.sample_attempt ELSE g.sample_attempt END,
        last_seen_at = greatest(g.last_seen_at, excluded.last_seen_at)
)
SELECT run_id FROM report
