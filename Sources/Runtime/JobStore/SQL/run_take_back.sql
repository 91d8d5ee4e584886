-- run_take_back: attempts of a host that is gone, or of its earlier life, go back to their queues as lost; runs that were lost
-- too often or were asked to end, end; goes on with run_take_lost. $1 host, $2 epochs up to, $3 how often a run may be lost,
-- $4 sentence
WITH mine AS (
    SELECT id, attempt, host_id, host_epoch, claimed_at, started_at, pid, version,
        cancel_requested_at IS NOT NULL OR terminate_requested_at IS NOT NULL AS unwanted, lost_count + 1 >= $3 AS hopeless
    FROM pawl.run_live WHERE state = 'running' AND host_id = $1 AND host_epoch <= $2
    ORDER BY id FOR UPDATE
