-- calendar_read: what is in some calendars. $1 names
SELECT name, revision, content FROM pawl.calendar WHERE name = ANY ($1::text[])
