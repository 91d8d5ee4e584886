-- run_find_lane: queued runs of one queue in the order in which they would be claimed, by the claim's own index.
-- $1 queue, $2 after rank, $3 after position, $4 how many
SELECT id, rank, pos, created_at FROM pawl.run_live
WHERE queue = $1 AND state = 'queued' AND (rank, pos) > ($2::integer, $3::bigint) ORDER BY rank, pos LIMIT $4
