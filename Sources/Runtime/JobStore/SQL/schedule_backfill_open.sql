-- schedule_backfill_open: $1 schedule, $2 from, $3 to, $4 at once, $5 runs, $6 who
INSERT INTO pawl.schedule_backfill (schedule_id, from_at, to_at, max_parallel, runs, actor) VALUES ($1, $2, $3, $4::integer, $5::integer, $6)
RETURNING id
