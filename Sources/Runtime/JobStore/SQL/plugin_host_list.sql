-- plugin_host_list: what hosts have, of those that are there or were there in the last day. $1 plugin (null: all)
SELECT p.host_id, h.hostname, h.state AS host_state, p.plugin, p.sha256, p.candidate, p.state, p.problem, p.updated_at,
    -- Another version than all are to serve, or none where there is one to serve.
    h.state = 'running' AND p.sha256 IS DISTINCT FROM CASE WHEN NOT r.disabled THEN r.active END AS is_drift
FROM pawl.plugin_host p JOIN pawl.host h ON h.id = p.host_id LEFT JOIN pawl.plugin r ON r.name = p.plugin
WHERE ($1::text IS NULL OR p.plugin = $1) AND h.heartbeat_at > now() - interval '1 day'
ORDER BY p.plugin, h.stopped_at IS NOT NULL, p.host_id
