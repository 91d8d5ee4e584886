-- quarantine_list: what is not served for its crashes. `is_tried`: a living host tries it now.
SELECT q.handler, q.version, q.since, q.until, q.level, q.crashes, q.attempts, q.reason, v.plugin, v.label,
    EXISTS (SELECT FROM pawl.host h WHERE h.id = q.trial_host AND h.epoch = q.trial_epoch AND h.state = 'running') AS is_tried
FROM pawl.quarantine q LEFT JOIN pawl.plugin_version v ON v.sha256 = q.version
ORDER BY q.since DESC, q.handler, q.version
