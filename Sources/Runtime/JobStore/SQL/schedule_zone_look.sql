-- schedule_zone_look: the release by which the next times were worked out.
SELECT zone_release FROM pawl.schedule_clock
