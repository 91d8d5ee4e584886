-- schedule_skip: leaves times out. $1 schedule, $2 so many of the next, $3 all up to this time (null: as it was), $4 the revision it must have
-- (null: any)
UPDATE pawl.schedule SET skip_next = coalesce($2, skip_next), skip_until = coalesce($3, skip_until), updated_at = now(),
    revision = revision + 1
WHERE id = $1 AND ($4::bigint IS NULL OR revision = $4) RETURNING id
