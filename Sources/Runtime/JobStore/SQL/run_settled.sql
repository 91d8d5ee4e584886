-- run_settled: which of these attempts this host has settled before. $1 host, $2 epoch, $3 ids, $4 attempts
SELECT i.id FROM unnest($3::bigint[], $4::bigint[]) AS i (id, attempt)
WHERE EXISTS (SELECT FROM pawl.attempt a
    WHERE a.run_id = i.id AND a.attempt = i.attempt AND a.host_id = $1 AND a.host_epoch = $2)
