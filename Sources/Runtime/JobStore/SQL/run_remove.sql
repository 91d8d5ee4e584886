-- run_remove: takes finished runs out of history. What belongs to them is removed behind it, in the same transaction. $1 runs
WITH gone AS (
    DELETE FROM pawl.run WHERE id = ANY ($1::bigint[]) RETURNING id, queue, job, state
), counted AS (
    INSERT INTO pawl.counter_delta (queue, job, state, n) SELECT queue, job, state, -count(*) FROM gone GROUP BY 1, 2, 3
)
SELECT id, state FROM gone
