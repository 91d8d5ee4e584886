-- job_follow: jobs that were defined over a plugin's handlers take what the handlers declare now. Their names, descriptions and
-- settings are the operator's. After job_register, as a statement of its own: it must see jobs that were defined meanwhile.
-- $1 plugin, then one array element for each handler. Tells all hosts if anything is new: they keep schemas.
WITH changed AS (
UPDATE pawl.job j SET plugin = $1, args_schema = i.args_schema, result_schema = i.result_schema, handler_limits = i.limits,
    handler_attempts = i.attempts, handler_execution = i.execution, updated_at = now()
FROM unnest($2::text[], $3::json[], $4::json[], $5::json[], $6::bigint[], $7::json[])
    AS i (handler, args_schema, result_schema, limits, attempts, execution)
WHERE j.handler = i.handler AND j.name <> j.handler AND (j.plugin, j.args_schema::text, j.result_schema::text,
        j.handler_limits::text, j.handler_attempts, j.handler_execution::text)
    IS DISTINCT FROM ($1, i.args_schema::text, i.result_schema::text, i.limits::text, i.attempts, i.execution::text)
RETURNING name)
SELECT pg_notify('pawl_plugin', $1)::text FROM changed LIMIT 1
