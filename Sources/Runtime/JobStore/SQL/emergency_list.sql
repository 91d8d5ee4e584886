-- emergency_list: what everybody must stop doing.
SELECT mode, since, actor, reason FROM pawl.emergency
