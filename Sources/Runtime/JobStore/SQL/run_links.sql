-- run_links: who asked for a run, and whom it asked for. $1 run
SELECT parent, number, child, job FROM pawl.follow_up WHERE child = $1
UNION ALL
SELECT parent, number, child, job FROM pawl.follow_up WHERE parent = $1
ORDER BY parent, number
