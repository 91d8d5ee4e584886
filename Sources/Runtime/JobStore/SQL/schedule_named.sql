-- schedule_named: $1 name
SELECT id FROM pawl.schedule WHERE name = $1
