-- sweep_take: who gets a row sweeps, until the end of the transaction; others pass on. $1 host, $2 epoch, $3 whether it must be due
WITH due AS (
    SELECT one FROM pawl.safety_policy
    WHERE (NOT $3 OR mode <> 'off' AND swept_at <= now() - sweep_ms * interval '1 millisecond')
        AND EXISTS (SELECT FROM pawl.host h WHERE h.id = $1 AND h.epoch = $2 AND h.state = 'running')
    FOR UPDATE SKIP LOCKED
)
UPDATE pawl.safety_policy p SET swept_at = now() FROM due WHERE p.one = due.one RETURNING p.mode
