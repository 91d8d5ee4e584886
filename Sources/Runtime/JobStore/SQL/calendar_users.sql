-- calendar_users: schedules that name a calendar, held against those who would name it meanwhile. $1 name
SELECT coalesce(s.name, 'sch_' || s.id) FROM pawl.schedule s
WHERE json_typeof(s.options -> 'calendars') = 'array'
    AND EXISTS (SELECT FROM json_array_elements_text(s.options -> 'calendars') AS named (name) WHERE named.name = $1)
ORDER BY s.id LIMIT 20
