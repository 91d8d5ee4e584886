-- quarantine_trial: this host may try a version whose pause is over, unless a living host does. $1 host, $2 epoch, $3 handler,
-- $4 version
UPDATE pawl.quarantine q SET trial_host = $1, trial_epoch = $2
WHERE q.handler = $3 AND q.version = $4 AND q.until <= now() AND (q.trial_host = $1 OR NOT EXISTS (SELECT FROM pawl.host h
    WHERE h.id = q.trial_host AND h.epoch = q.trial_epoch AND h.state = 'running'))
RETURNING true
