-- lane_pass_done: when the next pass is due, if none is already. $1 in ms (null: when a job gets rules)
UPDATE pawl.lane_pass SET due_at = coalesce(now() + $1 * interval '1 millisecond', 'infinity') WHERE due_at > now()
