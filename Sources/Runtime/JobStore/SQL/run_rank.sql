-- run_rank: another priority for runs that wait or are queued. Queued ones enter their new lane at its end. $1 runs, $2 rank
WITH waiting AS (
    UPDATE pawl.run_waiting SET rank = $2 WHERE id = ANY ($1::bigint[]) RETURNING id
), queued AS (
    UPDATE pawl.run_live SET rank = $2, pos = CASE WHEN rank = $2 THEN pos ELSE nextval('pawl.run_pos') END
    WHERE id = ANY ($1::bigint[]) AND state = 'queued' RETURNING id, queue, rank, pos, lane
)
SELECT id, NULL AS queue, NULL AS rank, NULL AS pos, NULL AS lane FROM waiting
UNION ALL SELECT id, queue, rank, pos, lane FROM queued
