-- lane_pass_take: takes the next pass over the common lanes, if it is due; should this host die, another takes it again. Answers whether
-- there are jobs with rules of their own. $1 how long it may take, in ms
UPDATE pawl.lane_pass SET due_at = now() + $1 * interval '1 millisecond'
WHERE due_at <= now() RETURNING EXISTS (SELECT FROM pawl.job WHERE lane <> '')
