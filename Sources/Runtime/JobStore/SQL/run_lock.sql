-- run_lock: takes the rows that the next statements of this transaction will change, in the order of the array: statements over
-- several runs must not wait for each other in a circle. $1 host, $2 epoch, $3 ids in order
SELECT place.id FROM unnest($3::bigint[]) AS i (id) CROSS JOIN LATERAL (
    SELECT l.id FROM pawl.run_live l WHERE l.id = i.id AND l.host_id = $1 AND l.host_epoch = $2 LIMIT 1 FOR UPDATE) place
