-- holding_end: a host holds nothing any more; whoever stands by is told. $1 host, $2 epochs up to, $3 why
WITH ended AS (
    UPDATE pawl.holding SET ended_at = now(), end_reason = $3
    WHERE host_id = $1 AND host_epoch <= $2 AND ended_at IS NULL RETURNING name
), told AS (
    SELECT pg_notify('pawl_holding', '') FROM ended LIMIT 1
), old AS (
    DELETE FROM pawl.holding WHERE ended_at < now() - interval '30 days'
)
SELECT count(*) FROM told
