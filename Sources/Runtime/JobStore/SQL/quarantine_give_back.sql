-- quarantine_give_back: this host will not try a version after all; another one may. $1 host, $2 epoch, $3 handler, $4 version
UPDATE pawl.quarantine SET trial_host = NULL, trial_epoch = NULL
WHERE handler = $3 AND version = $4 AND trial_host = $1 AND trial_epoch = $2
