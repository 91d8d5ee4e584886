-- Attempts that succeed and say nothing have no lines: that they succeeded is in their row, and is read from there.

-- Lines as readers see them. A run's lines are numbered attempt * 1,000,000,000 + n.
CREATE VIEW pawl.log_line AS
SELECT run_id, seq, attempt, time, stream, level, stage, message, fields FROM pawl.run_log
UNION ALL
SELECT a.run_id, a.attempt * 1000000000::bigint + 1, a.attempt, a.ended_at, 3::smallint, 1::smallint, NULL::text, a.sentence,
    NULL::json
FROM pawl.attempt a
WHERE a.outcome = 'succeeded' AND a.sentence = 'It succeeded.' AND (
    -- The first one is enough; as NOT EXISTS all lines of a run would be joined (150 ms for 400,000, for each page of them).
    SELECT l.seq FROM pawl.run_log l
    WHERE l.run_id = a.run_id AND l.seq > a.attempt * 1000000000::bigint AND l.seq <= a.attempt * 1000000000::bigint + 999999999
        -- A day of grace for clocks that differ between hosts.
        AND l.time >= coalesce(a.claimed_at, '-infinity') - interval '1 day'
    ORDER BY l.seq LIMIT 1) IS NULL;

CREATE OR REPLACE VIEW pawl.logs AS
SELECT run_id, seq, attempt, (ARRAY['debug', 'info', 'warning', 'error'])[level + 1] AS level, stage, message,
    fields AS context, time AS timestamp, (ARRAY['handler', 'stdout', 'stderr', 'host'])[stream + 1] AS stream
FROM pawl.log_line;
