-- schedule_chain: one after the other look whether schedules of jobs after jobs would go on for ever, each at what those before it wrote.
SELECT pg_advisory_xact_lock(8097884910729035781)
