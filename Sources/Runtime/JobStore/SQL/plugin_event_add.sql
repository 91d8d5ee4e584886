-- plugin_event_add: one array element for each event. $1 plugins, $2 versions, $3 host, $4 times, $5 kinds, $6 details
INSERT INTO pawl.plugin_event (plugin, sha256, host_id, at, kind, detail)
SELECT i.plugin, i.sha256, $3, i.at, i.kind, i.detail
FROM unnest($1::text[], $2::text[], $4::timestamptz[], $5::text[], $6::json[]) WITH ORDINALITY
    AS i (plugin, sha256, at, kind, detail, n)
ORDER BY i.n
