-- Who does what only one host may do: exclusive queues and roles. And by which interval a host is judged.

-- A host is silent after three of these, six while it stops.
ALTER TABLE pawl.host ADD COLUMN heartbeat_ms bigint NOT NULL DEFAULT 10000 CHECK (heartbeat_ms > 0);

-- Served by one host at a time.
ALTER TABLE pawl.queue ADD COLUMN exclusive boolean NOT NULL DEFAULT false;

-- Ended ones are kept for a while, for those who ask what happened.
CREATE TABLE pawl.holding (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL COLLATE "C" CHECK (kind IN ('queue', 'role')),
    name text NOT NULL COLLATE "C",
    host_id bigint NOT NULL,
    host_epoch bigint NOT NULL,
    taken_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    end_reason text CHECK (end_reason IN ('restarted', 'silent', 'stopped', 'shared'))
);
-- This decides: of all who want it, one gets it.
CREATE UNIQUE INDEX holding_current ON pawl.holding (kind, name) WHERE ended_at IS NULL;
CREATE INDEX holding_ended ON pawl.holding (ended_at);
