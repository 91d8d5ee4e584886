-- calendar_update: $1 name, $2 description, $3 content, $4 the revision it must have (null: any)
UPDATE pawl.calendar SET description = $2, content = $3, updated_at = now(), revision = revision + 1
WHERE name = $1 AND ($4::bigint IS NULL OR revision = $4) RETURNING name
