-- policy_write: changes it, if it is still the one that was seen. $1 mode, $2 outcome, $3 stale, $4 stuck, $5 factor, $6 idle, $7 sweep,
-- $8 actor, $9 revision (null: any)
UPDATE pawl.safety_policy
SET mode = $1, outcome = $2, stale_ms = $3, stuck_ms = $4, slow_factor = $5::text::double precision, idle_ms = $6, sweep_ms = $7,
    updated_by = $8, updated_at = now(), revision = revision + 1
WHERE $9::bigint IS NULL OR revision = $9 RETURNING revision
