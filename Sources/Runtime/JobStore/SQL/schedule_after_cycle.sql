-- schedule_after_cycle: whether a schedule of one job after another would go on for ever. $1 its job, $2 the job it waits for, $3 the
-- schedule that is replaced (null: a new one)
WITH RECURSIVE later (job) AS (
    SELECT $1::text COLLATE "C"
    UNION
    SELECT s.job FROM later l JOIN pawl.schedule s ON s.after_job = l.job AND s.id IS DISTINCT FROM $3::bigint
)
SELECT EXISTS (SELECT FROM later WHERE job = $2::text COLLATE "C")
