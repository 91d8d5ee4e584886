-- orphan_end_schedules: deletes schedules whose job is not there, if nobody has changed them. $1 ids, $2 revisions
DELETE FROM pawl.schedule s USING unnest($1::bigint[], $2::bigint[]) AS i (id, revision)
WHERE s.id = i.id AND s.revision = i.revision AND NOT EXISTS (SELECT FROM pawl.job j WHERE j.name = s.job)
RETURNING s.id
