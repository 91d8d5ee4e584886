-- run_remove_rest: what belongs to runs that are gone, in their transaction. Log lines may be many and have a statement of their
-- own. Idempotency keys stay until they expire: a request that is repeated must not make its run again. $1 runs
WITH attempts AS (
    DELETE FROM pawl.attempt WHERE run_id = ANY ($1::bigint[])
), reports AS (
    DELETE FROM pawl.crash_report WHERE run_id = ANY ($1::bigint[])
), pending AS (
    DELETE FROM pawl.crash_pending WHERE run_id = ANY ($1::bigint[])
), events AS (
    DELETE FROM pawl.run_event WHERE run_id = ANY ($1::bigint[])
), lines AS (
    DELETE FROM pawl.run_log_index WHERE run_id = ANY ($1::bigint[])
), links AS (
    DELETE FROM pawl.follow_up WHERE parent = ANY ($1::bigint[])
)
DELETE FROM pawl.run_key WHERE run_id = ANY ($1::bigint[]) AND kind = 'unique'
