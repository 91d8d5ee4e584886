-- upkeep_follow_ups: forgets links between runs that are forgotten, some at a time.
DELETE FROM pawl.follow_up WHERE (parent, number) IN (
    SELECT parent, number FROM pawl.follow_up WHERE expires_at <= now() ORDER BY expires_at LIMIT 5000)
