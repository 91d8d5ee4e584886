-- rollup_up: notes that a host is there, once for each bucket, and the newest id, once a minute if there was a new one.
WITH up AS (
    INSERT INTO pawl.rollup (step_s, at, queue, job, state, n, wait_us, run_us)
    SELECT step_s, date_bin(step_s * interval '1 second', now(), 'epoch'), '', '', 'up', 1, 0, 0 FROM pawl.rollup_plan
    ON CONFLICT DO NOTHING
), newest AS (
    -- The number is read first: whatever it counts was drawn before the time beside it.
    SELECT s.last_value AS id, clock_timestamp() AS at FROM pawl.run_id s
)
INSERT INTO pawl.run_mark (at, last_id)
SELECT n.at, n.id FROM newest n
LEFT JOIN LATERAL (SELECT m.at, m.last_id FROM pawl.run_mark m ORDER BY m.at DESC LIMIT 1) m ON true
WHERE m.at IS NULL OR (n.at >= m.at + interval '1 minute' AND n.id > m.last_id)
ON CONFLICT DO NOTHING
