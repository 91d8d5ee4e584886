-- plugin_host_keep: a host has these plugins and no others. $1 host, $2 plugins
DELETE FROM pawl.plugin_host WHERE host_id = $1 AND plugin <> ALL ($2::text[])
