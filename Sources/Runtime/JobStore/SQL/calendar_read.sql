-- calendar_read: what is in some calendars. $1 names
SELECT name, revision, updated_at, content FROM pawl.calendar WHERE name = ANY ($1::text[])
