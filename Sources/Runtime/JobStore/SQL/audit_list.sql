-- audit_list: the newest first. $1 actor, $2 action, $3 whether that is only the beginning of it, $4 target, $5 result, $6 since,
-- $7 until, $8 older than this id (nulls: any), $9 limit
SELECT id, time, actor, action, target, reason, result, request, address, detail
FROM pawl.audit
WHERE ($1::text IS NULL OR actor = $1)
    AND ($2::text IS NULL OR action = $2 OR ($3::boolean AND starts_with(action, $2)))
    AND ($4::text IS NULL OR target = $4) AND ($5::text IS NULL OR result = $5)
    AND ($6::timestamptz IS NULL OR time >= $6) AND ($7::timestamptz IS NULL OR time < $7)
    AND ($8::bigint IS NULL OR id < $8)
ORDER BY id DESC LIMIT $9
