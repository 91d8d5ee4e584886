-- run_finished_of: those of some runs that are finished. $1 runs
SELECT id FROM pawl.run WHERE id = ANY ($1::bigint[])
