-- queue_lock: a queue's revision, held until the end of the transaction; no row: nobody has set or paused it. $1 name
SELECT revision FROM pawl.queue WHERE name = $1 FOR UPDATE
