-- run_get: one run, wherever it is. $1 id
SELECT * FROM pawl.run_all WHERE id = $1
