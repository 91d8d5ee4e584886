-- plugin_host_note: what a host has now. $1 host, then one array element for each plugin: $2 plugin, $3 sha256, $4 candidate,
-- $5 state, $6 problem
INSERT INTO pawl.plugin_host AS p (host_id, plugin, sha256, candidate, state, problem)
SELECT $1, i.plugin, i.sha256, i.candidate, i.state, i.problem
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) AS i (plugin, sha256, candidate, state, problem)
ON CONFLICT (host_id, plugin) DO UPDATE SET sha256 = excluded.sha256, candidate = excluded.candidate, state = excluded.state,
    problem = excluded.problem, updated_at = now()
