-- run_live_of_host: what a host is said to execute. $1 host, $2 epoch
SELECT r.* FROM pawl.run_all r JOIN pawl.run_live l ON l.id = r.id
WHERE r.kind = 'live' AND l.state = 'running' AND l.host_id = $1 AND l.host_epoch = $2 ORDER BY r.id
