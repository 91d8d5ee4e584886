-- calendar_users: schedules that name a calendar. After its removal, in the same transaction: whoever was naming it has been waited
-- for by then (hold_calendars), and whoever names it later waits for us. $1 name, $2 ids of schedules that do not count
SELECT coalesce(s.name, 'sch_' || s.id) FROM pawl.schedule s
WHERE json_typeof(s.options -> 'calendars') = 'array' AND s.id <> ALL ($2::bigint[])
    AND EXISTS (SELECT FROM json_array_elements_text(s.options -> 'calendars') AS named (name) WHERE named.name = $1)
ORDER BY s.id LIMIT 20
