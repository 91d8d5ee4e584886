-- policy_read: what hosts do by themselves.
SELECT mode, outcome, stale_ms, stuck_ms[1], stuck_ms[2], stuck_ms[3], stuck_ms[4], slow_factor::text, idle_ms, sweep_ms, revision,
    updated_at, updated_by, swept_at, mode <> 'off' AND swept_at <= now() - sweep_ms * interval '1 millisecond' AS is_due
FROM pawl.safety_policy
