-- run_find_finished: looks at some finished runs in the order of their ids, and answers how far it came and which of them match.
-- $1 after id, $2 how many to look at, $3 queue, $4 job (null: all), $5 states, $6 finished before
SELECT max(id), count(*), array_agg(id ORDER BY id) FILTER (WHERE ($3::text IS NULL OR queue = $3) AND ($4::text IS NULL OR job = $4)
    AND state = ANY ($5::text[]) AND finished_at < $6)
FROM (SELECT id, queue, job, state, finished_at FROM pawl.run WHERE id > $1 ORDER BY id LIMIT $2) r
