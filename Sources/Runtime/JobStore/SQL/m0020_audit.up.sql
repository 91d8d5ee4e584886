-- The audit says why, what came of it, and which request it was.

ALTER TABLE pawl.audit ADD COLUMN reason text,
    -- ok, or the code of the problem that it was answered with
    ADD COLUMN result text NOT NULL DEFAULT 'ok',
    ADD COLUMN request text,
    ADD COLUMN address text;
CREATE INDEX audit_target ON pawl.audit (target, id);
CREATE INDEX audit_actor ON pawl.audit (actor, id);
