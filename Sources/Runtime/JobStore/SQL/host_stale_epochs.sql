-- host_stale_epochs: hosts with attempts of an earlier life: a claim that was under way when the host was fenced, or that a
-- fenced host made before it knew.
SELECT h.id, h.epoch - 1 FROM pawl.host h
WHERE EXISTS (SELECT FROM pawl.run_live l WHERE l.state = 'running' AND l.host_id = h.id AND l.host_epoch < h.epoch)
