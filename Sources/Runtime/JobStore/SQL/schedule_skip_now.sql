-- schedule_skip_now: leaves out all that is due. $1 schedule, $2 the revision it must have (null: any)
UPDATE pawl.schedule SET skip_until = now(), updated_at = now(), revision = revision + 1
WHERE id = $1 AND ($2::bigint IS NULL OR revision = $2) RETURNING id
