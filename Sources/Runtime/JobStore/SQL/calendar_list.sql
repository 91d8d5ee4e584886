-- calendar_list: calendars and how many schedules name them. $1 names (null: all)
SELECT c.name, c.description, c.content, c.applied_by, c.created_at, c.updated_at, c.revision, coalesce(u.n, 0) AS schedules
FROM pawl.calendar c LEFT JOIN (
    SELECT named.name, count(*) AS n
    FROM pawl.schedule s CROSS JOIN LATERAL json_array_elements_text(s.options -> 'calendars') AS named (name)
    WHERE json_typeof(s.options -> 'calendars') = 'array' GROUP BY named.name) u ON u.name = c.name
WHERE $1::text[] IS NULL OR c.name = ANY ($1) ORDER BY c.name
