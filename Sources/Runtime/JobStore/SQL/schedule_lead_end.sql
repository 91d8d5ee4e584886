-- schedule_lead_end: who fires has not said for too long that it is there: it does not fire any more. $1 host, $2 epoch, $3 after so
-- many ms
UPDATE pawl.holding o SET ended_at = now(), end_reason = 'overdue'
WHERE o.kind = 'role' AND o.name = 'scheduler' AND o.ended_at IS NULL AND (o.host_id, o.host_epoch) <> ($1::bigint, $2::bigint)
    AND (coalesce(o.renewed_at, o.taken_at) < now() - $3::bigint * interval '1 millisecond'
        -- The clock was set back: a renewal that lies ahead says nothing.
        OR o.renewed_at > now() + $3::bigint * interval '1 millisecond')
