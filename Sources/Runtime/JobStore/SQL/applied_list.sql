-- applied_list: what was put in place from a set of files. $1 set
SELECT 'schedule', name, id, revision FROM pawl.schedule WHERE applied_by = $1 AND name IS NOT NULL
UNION ALL
SELECT 'calendar', name, 0, revision FROM pawl.calendar WHERE applied_by = $1
