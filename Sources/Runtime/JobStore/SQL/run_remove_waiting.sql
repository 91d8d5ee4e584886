-- run_remove_waiting: takes waiting runs away. Those that have moved on meanwhile are not touched. $1 runs, $2 states
WITH gone AS (
    DELETE FROM pawl.run_waiting WHERE id = ANY ($1::bigint[]) AND state = ANY ($2::text[]) RETURNING id, queue, job, state
), counted AS (
    INSERT INTO pawl.counter_delta (queue, job, state, n) SELECT queue, job, state, -count(*) FROM gone GROUP BY 1, 2, 3
)
SELECT id, state FROM gone
