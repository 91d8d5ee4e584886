-- upkeep_plugins: drops the bytes that no row and no host needs any more, an hour after they came; events of half a year ago;
-- what hosts had that have long been gone.
WITH needed AS (
    SELECT unnest(ARRAY[active, previous, older, canary ->> 'sha256']) AS sha256 FROM pawl.plugin
    UNION
    SELECT unnest(ARRAY[p.sha256, p.candidate]) FROM pawl.plugin_host p JOIN pawl.host h ON h.id = p.host_id
    WHERE h.heartbeat_at > now() - interval '1 day'
), events AS (
    DELETE FROM pawl.plugin_event WHERE id IN (
        SELECT id FROM pawl.plugin_event WHERE at < now() - interval '180 days' ORDER BY id LIMIT 10000)
), gone AS (
    DELETE FROM pawl.plugin_host p WHERE NOT EXISTS (
        SELECT FROM pawl.host h WHERE h.id = p.host_id AND h.heartbeat_at > now() - interval '30 days')
)
DELETE FROM pawl.plugin_blob b
WHERE b.stored_at < now() - interval '1 hour' AND NOT EXISTS (SELECT FROM needed n WHERE n.sha256 = b.sha256)
