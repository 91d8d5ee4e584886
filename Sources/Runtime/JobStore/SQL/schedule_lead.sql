-- schedule_lead: keeps the right to fire, or takes it if nobody has it; the term, or no row. $1 host, $2 epoch
INSERT INTO pawl.holding AS o (kind, name, host_id, host_epoch, renewed_at)
SELECT 'role', 'scheduler', h.id, h.epoch, now() FROM pawl.host h WHERE h.id = $1 AND h.epoch = $2 AND h.state = 'running'
ON CONFLICT (kind, name) WHERE ended_at IS NULL
    DO UPDATE SET renewed_at = now() WHERE o.host_id = $1 AND o.host_epoch = $2
RETURNING o.id
