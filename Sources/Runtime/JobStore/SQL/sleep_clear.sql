-- sleep_clear: this host looks by itself. $1 host
DELETE FROM pawl.sleeper WHERE host_id = $1
