-- job_schemas: what the args of these jobs must be like. $1 names
SELECT name, args_schema FROM pawl.job WHERE name = ANY ($1::text[])
