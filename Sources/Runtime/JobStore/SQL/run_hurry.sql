-- run_hurry: waiting runs become due now; what they may wait for their start begins now. $1 runs
WITH due AS (
    UPDATE pawl.run_waiting SET run_at = clock_timestamp(), expires_at = clock_timestamp() + (expires_at - run_at)
    WHERE id = ANY ($1::bigint[]) AND state IN ('scheduled', 'retrying') RETURNING id, queue, rank
)
SELECT id, queue, rank FROM due
