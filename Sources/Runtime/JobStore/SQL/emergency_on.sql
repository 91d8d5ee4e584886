-- emergency_on: no row if it stands already. $1 mode, $2 actor, $3 reason
INSERT INTO pawl.emergency (mode, actor, reason) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING mode
