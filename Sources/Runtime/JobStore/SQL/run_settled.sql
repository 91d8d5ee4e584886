-- run_settled: of attempts that a settle did not touch, those that this host has settled before, and those it still holds (the
-- row was being changed at that moment). $1 host, $2 epoch, $3 ids, $4 attempts, $5 outcomes (another outcome was written by
-- whoever took the attempt from this host)
SELECT i.id, done.yes AS done FROM unnest($3::bigint[], $4::bigint[], $5::text[]) AS i (id, attempt, outcome) CROSS JOIN LATERAL (
    SELECT EXISTS (SELECT FROM pawl.attempt a
        WHERE a.run_id = i.id AND a.attempt = i.attempt AND a.host_id = $1 AND a.host_epoch = $2
            AND a.outcome = i.outcome) AS yes) done
WHERE done.yes OR EXISTS (SELECT FROM pawl.run_live l
    WHERE l.id = i.id AND l.attempt = i.attempt AND l.host_id = $1 AND l.host_epoch = $2)
