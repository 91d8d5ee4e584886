-- calendar_insert: no row: there is one of this name. $1 name, $2 description, $3 content
INSERT INTO pawl.calendar (name, description, content) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING RETURNING name
