-- upkeep_plugins: drops the bytes that no row and no host needs any more, an hour after they came (of versions that somebody has
-- uploaded for later, the newest three of a plugin stay for a month); events of half a year ago, and what is known of versions
-- that nobody has used since; what hosts had that have long been gone.
WITH needed AS (
    SELECT unnest(ARRAY[active, previous, older, canary ->> 'sha256']) AS sha256 FROM pawl.plugin
    UNION
    SELECT unnest(ARRAY[p.sha256, p.candidate]) FROM pawl.plugin_host p JOIN pawl.host h ON h.id = p.host_id
    WHERE h.heartbeat_at > now() - interval '1 day'
    UNION
    SELECT sha256 FROM (
        SELECT sha256, row_number() OVER (PARTITION BY plugin ORDER BY first_seen_at DESC, sha256) AS n FROM pawl.plugin_version
        WHERE source = 'upload' AND state = 'usable' AND last_active_at IS NULL
            AND first_seen_at > now() - interval '30 days') ready
    WHERE n <= 3
), events AS (
    DELETE FROM pawl.plugin_event WHERE id IN (
        SELECT id FROM pawl.plugin_event WHERE at < now() - interval '180 days' ORDER BY id LIMIT 10000)
), versions AS (
    DELETE FROM pawl.plugin_version WHERE sha256 IN (
        SELECT v.sha256 FROM pawl.plugin_version v
        WHERE greatest(v.first_seen_at, v.last_active_at) < now() - interval '180 days'
            AND NOT EXISTS (SELECT FROM needed n WHERE n.sha256 = v.sha256) LIMIT 10000)
), gone AS (
    DELETE FROM pawl.plugin_host p WHERE NOT EXISTS (
        SELECT FROM pawl.host h WHERE h.id = p.host_id AND h.heartbeat_at > now() - interval '30 days')
)
DELETE FROM pawl.plugin_blob b
WHERE b.stored_at < now() - interval '1 hour' AND NOT EXISTS (SELECT FROM needed n WHERE n.sha256 = b.sha256)
