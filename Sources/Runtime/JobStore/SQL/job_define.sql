-- job_define: a job of another name over a handler. No row: the name is taken. $1 name, $2 the job that says what the handler
-- declares, $3 description (null: the handler's)
WITH made AS (
INSERT INTO pawl.job (name, handler, plugin, description, args_schema, result_schema, handler_limits, handler_attempts,
    handler_execution)
SELECT $1, s.handler, s.plugin, coalesce($3, s.description), s.args_schema, s.result_schema, s.handler_limits,
    s.handler_attempts, s.handler_execution
FROM pawl.job s WHERE s.name = $2
ON CONFLICT (name) DO NOTHING
RETURNING name, plugin)
-- Hosts know what they serve by the names of jobs.
SELECT name, CASE WHEN plugin IS NOT NULL THEN pg_notify('pawl_plugin', plugin)::text END AS told FROM made
