-- plugin_refuse: a version of a known plugin that cannot be served (rejected) or was taken away (removed). A usable one stays
-- what it is unless it is removed: that one host cannot load it says nothing of the others.
-- $1 sha256, $2 plugin, $3 state, $4 problem, $5 file, $6 source
INSERT INTO pawl.plugin_version AS v (sha256, plugin, size_bytes, state, problem, file_name, source)
SELECT $1, name, 0, $3, $4, $5, $6 FROM pawl.plugin WHERE name = $2
ON CONFLICT (sha256) DO UPDATE SET state = excluded.state, problem = excluded.problem
    WHERE v.state <> 'usable' OR excluded.state = 'removed'
