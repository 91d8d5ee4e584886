-- upkeep_rollups: forgets rollups and marks whose time is over.
WITH marks AS (
    DELETE FROM pawl.run_mark WHERE at < now() - interval '400 days'
)
DELETE FROM pawl.rollup r USING pawl.rollup_plan p
WHERE r.step_s = p.step_s AND r.at < now() - (p.keep_s + p.step_s) * interval '1 second'
