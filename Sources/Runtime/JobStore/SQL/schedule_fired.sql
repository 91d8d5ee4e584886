-- schedule_fired: what became of schedules. $1 schedules, $2 last times that fired, $3 their runs (null: none did), $4 next times, $5 how many
-- fired, $6 which of its times the next one is, $7 how many are still to be skipped
--
-- No look at the term: the schedules have been held since they were taken, under a term that stood then. Another leader passes them over
-- meanwhile (SKIP LOCKED) and sees what is written here afterwards; a planned time, or an event, that has a row gets no second one.
UPDATE pawl.schedule s SET next_at = i.next_at, run_count = s.run_count + i.fired::integer,
    last_planned_at = coalesce(i.planned_at, s.last_planned_at), last_run = coalesce(i.run_id, s.last_run), last_error = NULL,
    retry_at = NULL, ordinal = i.ordinal, skip_next = i.skip_next::integer
FROM unnest($1::bigint[], $2::timestamptz[], $3::bigint[], $4::timestamptz[], $5::bigint[], $6::bigint[], $7::bigint[])
    AS i (id, planned_at, run_id, next_at, fired, ordinal, skip_next)
WHERE s.id = i.id
