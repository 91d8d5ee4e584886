-- quarantine_lift: serves a version again. $1 handler, $2 version
DELETE FROM pawl.quarantine WHERE handler = $1 AND version = $2
