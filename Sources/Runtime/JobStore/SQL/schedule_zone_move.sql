-- schedule_zone_move: next times, where nobody has changed or fired the schedule meanwhile. $1 schedules, $2 before, $3 revisions, $4 now
UPDATE pawl.schedule s SET next_at = i.later FROM unnest($1::bigint[], $2::timestamptz[], $3::bigint[], $4::timestamptz[])
    AS i (id, earlier, revision, later)
WHERE s.id = i.id AND s.next_at = i.earlier AND s.revision = i.revision AND s.next_at > now()
RETURNING s.id
