-- run_list_edge: the id at the lower edge of the window of run_list, if it is full. $1 tables, $2 below id, $3 window
SELECT id FROM pawl.run_all WHERE kind = ANY ($1::text[]) AND id < $2 ORDER BY id DESC OFFSET $3::bigint - 1 LIMIT 1
