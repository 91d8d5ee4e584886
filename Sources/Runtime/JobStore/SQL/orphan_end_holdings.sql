-- orphan_end_holdings: gives up what hosts hold that are gone, and tells those who stand by. $1 ids
WITH ended AS (
    UPDATE pawl.holding o SET ended_at = now(), end_reason = 'silent'
    WHERE o.id = ANY ($1::bigint[]) AND o.ended_at IS NULL AND NOT EXISTS (SELECT FROM pawl.host h
        WHERE h.id = o.host_id AND h.epoch = o.host_epoch AND h.state IN ('running', 'stopping'))
    RETURNING o.id
), told AS (
    SELECT pg_notify('pawl_holding', '') FROM ended LIMIT 1
)
SELECT id, (SELECT count(*) FROM told) FROM ended
