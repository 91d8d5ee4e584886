-- lane_pass_due: queued runs are looked through soon: a job has got rules of its own.
UPDATE pawl.lane_pass SET due_at = least(due_at, now())
