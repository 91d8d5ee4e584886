-- run_started: what attempts look like from elsewhere. $1 host, $2 epoch, then one array element for each attempt
UPDATE pawl.run_live l
SET started_at = i.started_at, pid = i.pid, version = i.version, entities_processed = i.processed, entities_total = i.total,
    current_stage = i.stage, outcome_summary = i.summary
FROM unnest($3::bigint[], $4::bigint[], $5::timestamptz[], $6::bigint[], $7::text[], $8::bigint[], $9::bigint[], $10::text[],
    $11::json[]) AS i (id, attempt, started_at, pid, version, processed, total, stage, summary)
WHERE l.id = i.id AND l.attempt = i.attempt AND l.state = 'running' AND l.host_id = $1 AND l.host_epoch = $2
