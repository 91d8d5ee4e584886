-- run_mark_range: no run that was requested from $1 on has an id up to the first number; none that was requested before $2 one
-- above the second. Null: not known. `created_at` is the beginning of the transaction, which draws the id later: five minutes
-- later at most, or the list may miss it.
SELECT (SELECT last_id FROM pawl.run_mark WHERE at < $1::timestamptz ORDER BY at DESC LIMIT 1),
    (SELECT last_id FROM pawl.run_mark WHERE at >= $2::timestamptz + interval '5 minutes' ORDER BY at LIMIT 1)
