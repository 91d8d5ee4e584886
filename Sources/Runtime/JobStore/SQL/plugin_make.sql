-- plugin_make: the row of a plugin that there was none of. $1 name
INSERT INTO pawl.plugin (name) VALUES ($1) ON CONFLICT (name) DO NOTHING
