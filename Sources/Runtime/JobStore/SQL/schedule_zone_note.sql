-- schedule_zone_note: $1 release
UPDATE pawl.schedule_clock SET zone_release = $1
