-- plugin_event_list: the newest first. $1 plugin (null: all), $2 before this id (null: from the newest), $3 limit
SELECT e.id, e.plugin, e.sha256, e.host_id, h.hostname, e.at, e.kind, e.detail, v.label
FROM pawl.plugin_event e LEFT JOIN pawl.host h ON h.id = e.host_id LEFT JOIN pawl.plugin_version v ON v.sha256 = e.sha256
WHERE ($1::text IS NULL OR e.plugin = $1) AND ($2::bigint IS NULL OR e.id < $2)
ORDER BY e.id DESC LIMIT $3
