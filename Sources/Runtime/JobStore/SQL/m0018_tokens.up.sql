-- Who may ask from outside, and for what: opaque tokens. What is kept is the hash alone.

CREATE TABLE pawl.token (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL COLLATE pg_catalog."C",
    -- SHA-256 of the whole token; of 256 random bits, so that salt would add nothing
    hash bytea NOT NULL UNIQUE CONSTRAINT token_hash_check CHECK (length(hash) = 32),
    -- the first characters, for people to tell them apart
    hint text NOT NULL,
    role text NOT NULL CONSTRAINT token_role_check CHECK (role IN ('viewer', 'operator', 'admin', 'owner')),
    -- {"queues": [...], "jobs": [...], "owners": [...]}: names, or beginnings with a star
    bounds json NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text,
    expires_at timestamptz,
    -- written once a minute at most
    last_used_at timestamptz,
    last_used_from text,
    revoked_at timestamptz,
    revoked_by text
);
-- Whoever was revoked leaves its name to others.
CREATE UNIQUE INDEX token_name ON pawl.token (name) WHERE revoked_at IS NULL;
