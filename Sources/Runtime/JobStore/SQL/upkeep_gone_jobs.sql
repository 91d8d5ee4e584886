-- upkeep_gone_jobs: jobs that are not there any more and of which runs wait, says the count: an enqueue or a settlement was committed
-- while its job was being removed. A few rows for each queue and job; the backlog is not looked at.
SELECT DISTINCT c.job FROM pawl.run_counter c
WHERE c.n > 0 AND c.state IN ('queued', 'scheduled', 'retrying', 'blocked')
    AND NOT EXISTS (SELECT FROM pawl.job j WHERE j.name = c.job)
