-- job_register: makes or refreshes the jobs of a plugin's handlers; the operator's settings stay. $1 plugin, then one array
-- element for each handler. Tells all hosts if anything is new: they keep schemas.
WITH changed AS (
INSERT INTO pawl.job AS j (name, handler, plugin, description, args_schema, result_schema, handler_limits, handler_attempts,
    handler_execution)
SELECT i.handler, i.handler, $1, i.description, i.args_schema, i.result_schema, i.limits, i.attempts, i.execution
FROM unnest($2::text[], $3::text[], $4::json[], $5::json[], $6::json[], $7::bigint[], $8::json[])
    AS i (handler, description, args_schema, result_schema, limits, attempts, execution)
ON CONFLICT (name) DO UPDATE SET plugin = excluded.plugin, description = excluded.description,
    args_schema = excluded.args_schema, result_schema = excluded.result_schema, handler_limits = excluded.handler_limits,
    handler_attempts = excluded.handler_attempts, handler_execution = excluded.handler_execution, updated_at = now()
WHERE j.handler = excluded.handler AND (j.plugin, j.description, j.args_schema::text, j.result_schema::text,
        j.handler_limits::text, j.handler_attempts, j.handler_execution::text)
    IS DISTINCT FROM (excluded.plugin, excluded.description, excluded.args_schema::text, excluded.result_schema::text,
        excluded.handler_limits::text, excluded.handler_attempts, excluded.handler_execution::text)
RETURNING name)
SELECT pg_notify('pawl_plugin', $1)::text FROM changed LIMIT 1
