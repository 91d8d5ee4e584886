-- schedule_delete: $1 id, $2 the revision it must have (null: any)
DELETE FROM pawl.schedule WHERE id = $1 AND ($2::bigint IS NULL OR revision = $2) RETURNING id
