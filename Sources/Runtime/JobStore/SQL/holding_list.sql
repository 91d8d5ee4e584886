-- holding_list: what only one host may do, and who does it now; no host: nobody.
SELECT 'queue' AS kind, q.name, o.host_id, o.host_epoch, h.hostname, o.taken_at
FROM pawl.queue q LEFT JOIN pawl.holding o ON o.kind = 'queue' AND o.name = q.name AND o.ended_at IS NULL
    LEFT JOIN pawl.host h ON h.id = o.host_id
WHERE q.exclusive
UNION ALL
SELECT o.kind, o.name, o.host_id, o.host_epoch, h.hostname, o.taken_at
FROM pawl.holding o JOIN pawl.host h ON h.id = o.host_id WHERE o.kind = 'role' AND o.ended_at IS NULL
ORDER BY 1, 2
