-- run_gates: for the queues and jobs of these lanes that have a limit everywhere: one claim at a time counts what runs. Takes their
-- gates until the end of the transaction and notes them for pawl.admit; never waits for one. Answers how many others hold.
-- $1 queues, $2 lanes
WITH wanted AS MATERIALIZED (
    SELECT 'q' || name AS key FROM pawl.queue WHERE name = ANY ($1::text[]) AND concurrency IS NOT NULL
    UNION ALL
    SELECT 'j' || name FROM pawl.job WHERE name = ANY ($2::text[]) AND lane <> '' AND concurrency IS NOT NULL
), got AS MATERIALIZED (
    -- 0x7061776C: pawl. Two names with one hash wait for each other, and that is all.
    SELECT key FROM wanted WHERE pg_try_advisory_xact_lock(1885435756, hashtext(key))
)
SELECT (SELECT count(*) FROM wanted) - (SELECT count(*) FROM got) AS elsewhere,
    set_config('pawl.gates', coalesce((SELECT array_agg(key) FROM got)::text, '{}'), true)
