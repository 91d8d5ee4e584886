-- audit_add: $1 actor, $2 action, $3 target, $4 detail
INSERT INTO pawl.audit (actor, action, target, detail) VALUES ($1, $2, $3, $4)
