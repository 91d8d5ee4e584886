-- orphan_list: what belongs to nothing any more, as far as the database knows, some of each kind. $1 jobs that are gone and of which runs
-- wait, $2 how many of each kind
(SELECT 'run_without_process' AS kind, l.id::text AS name, concat_ws('.', l.attempt, l.host_id, l.host_epoch) AS mark,
    concat_ws(' ', l.job, 'attempt', l.attempt, 'on host', l.host_id, coalesce('(' || h.state || ')', '(unknown)')) AS detail
FROM pawl.run_live l LEFT JOIN pawl.host h ON h.id = l.host_id AND h.epoch = l.host_epoch
WHERE l.state = 'running' AND (h.id IS NULL OR h.state NOT IN ('running', 'stopping')) ORDER BY l.id LIMIT $2)
UNION ALL
(SELECT 'run_without_job', w.id::text, w.state, 'waits for ' || w.job FROM (
    SELECT id, state, job FROM pawl.run_live WHERE state = 'queued' AND job = ANY ($1::text[])
    UNION ALL
    SELECT id, state, job FROM pawl.run_waiting WHERE job = ANY ($1::text[])) w
WHERE NOT EXISTS (SELECT FROM pawl.job j WHERE j.name = w.job) ORDER BY w.id LIMIT $2)
UNION ALL
(SELECT 'schedule_without_job', s.id::text, s.revision::text, concat_ws(' ', s.name, 'for', s.job) FROM pawl.schedule s
WHERE NOT EXISTS (SELECT FROM pawl.job j WHERE j.name = s.job) ORDER BY s.id LIMIT $2)
UNION ALL
(SELECT 'holding_without_host', o.kind || ' ' || o.name, o.id::text, concat_ws(' ', 'held by host', o.host_id)
FROM pawl.holding o WHERE o.ended_at IS NULL AND NOT EXISTS (SELECT FROM pawl.host h
    WHERE h.id = o.host_id AND h.epoch = o.host_epoch AND h.state IN ('running', 'stopping')) ORDER BY o.id LIMIT $2)
