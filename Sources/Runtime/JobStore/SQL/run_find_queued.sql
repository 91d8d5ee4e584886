-- run_find_queued: as run_find_finished, of queued runs of any queue. $6 created before
SELECT max(id), count(*), array_agg(id ORDER BY id) FILTER (WHERE ($3::text IS NULL OR queue = $3) AND ($4::text IS NULL OR job = $4)
    AND state = ANY ($5::text[]) AND created_at < $6)
FROM (SELECT id, queue, job, state, created_at FROM pawl.run_live WHERE id > $1 ORDER BY id LIMIT $2) r
