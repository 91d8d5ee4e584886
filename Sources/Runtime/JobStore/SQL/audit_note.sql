-- audit_note: $1 actor, $2 action, $3 target, $4 detail, $5 reason, $6 result, $7 request, $8 address
INSERT INTO pawl.audit (actor, action, target, detail, reason, result, request, address)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
