-- run_find_lane: queued runs of one queue, one lane after the other and each in the order in which it would be claimed, by the claim's
-- own index. $1 queue, $2 after rank, $3 lane and $4 position, $5 how many
SELECT id, rank, pos, created_at, lane FROM pawl.run_live
WHERE queue = $1 AND state = 'queued' AND (rank, lane, pos) > ($2::integer, $3::text, $4::bigint) ORDER BY rank, lane, pos LIMIT $5
