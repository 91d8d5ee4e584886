-- calendar_delete: $1 name, $2 the revision it must have (null: any)
DELETE FROM pawl.calendar WHERE name = $1 AND ($2::bigint IS NULL OR revision = $2) RETURNING name
