-- applied_mark: these come from a set of files. $1 set, $2 schedules, $3 calendars
WITH schedules AS (
    UPDATE pawl.schedule SET applied_by = $1 WHERE name = ANY ($2::text[]) AND applied_by IS DISTINCT FROM $1
)
UPDATE pawl.calendar SET applied_by = $1 WHERE name = ANY ($3::text[]) AND applied_by IS DISTINCT FROM $1
