-- rules_list: queues and jobs with limits or a pause.
SELECT 'queue', name, concurrency, host_concurrency, paused_at IS NOT NULL FROM pawl.queue
WHERE concurrency IS NOT NULL OR host_concurrency IS NOT NULL OR paused_at IS NOT NULL
UNION ALL
SELECT 'job', name, concurrency, host_concurrency, paused_at IS NOT NULL FROM pawl.job WHERE lane <> ''
