-- job_delete: a job with its schedules. $1 name
WITH schedules AS (
    DELETE FROM pawl.schedule WHERE job = $1 RETURNING id
), gone AS (
    DELETE FROM pawl.job WHERE name = $1 RETURNING plugin
)
SELECT (SELECT count(*) FROM schedules) AS schedules,
    (SELECT CASE WHEN plugin IS NOT NULL THEN pg_notify('pawl_plugin', plugin)::text END FROM gone) AS told
