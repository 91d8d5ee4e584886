-- rules_count: what runs already counts from now on. $1 queue, $2 job (null: any)
UPDATE pawl.run_live SET is_limited = true
WHERE state = 'running' AND NOT is_limited AND ($1::text IS NULL OR queue = $1) AND ($2::text IS NULL OR job = $2)
