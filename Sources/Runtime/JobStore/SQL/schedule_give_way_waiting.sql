-- schedule_give_way_waiting: ends runs that wait. $1 runs, $2 reason
SELECT pawl.cancel_waiting(i.id, $2) FROM (SELECT DISTINCT id FROM unnest($1::bigint[]) AS r (id) ORDER BY id) i
