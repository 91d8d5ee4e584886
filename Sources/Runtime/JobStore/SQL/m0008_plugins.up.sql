-- Plugins live: which version of each plugin all hosts serve, the bytes of versions, what each host has of them, events;
-- which version a run must not meet again; the queue time of schedules.

ALTER TABLE pawl.plugin
    -- Which version serves; null: none.
    ADD COLUMN active text COLLATE "C",
    -- What served before it, and before that.
    ADD COLUMN previous text COLLATE "C",
    ADD COLUMN older text COLLATE "C",
    -- {"sha256": …, "policy": {…}}: a version that is tried beside the active one.
    ADD COLUMN canary jsonb,
    ADD COLUMN disabled boolean NOT NULL DEFAULT false,
    -- Files that appear do not change it.
    ADD COLUMN pinned boolean NOT NULL DEFAULT false,
    -- Grows with each change: the guard of changes, and the ETag.
    ADD COLUMN revision bigint NOT NULL DEFAULT 0,
    -- When it was decided, which may be before it was written.
    ADD COLUMN changed_at timestamptz,
    ADD COLUMN changed_by text,
    -- Whose file it is; null: nobody's (uploaded, or chosen by a person).
    ADD COLUMN origin_host bigint,
    ADD COLUMN reason text;

ALTER TABLE pawl.plugin_version
    ADD COLUMN kind text NOT NULL DEFAULT 'native' CHECK (kind IN ('native', 'ffi')),
    ADD COLUMN file_name text,
    ADD COLUMN build_id text,
    ADD COLUMN source text NOT NULL DEFAULT 'directory' CHECK (source IN ('directory', 'upload')),
    ADD COLUMN uploaded_by text,
    ADD COLUMN signed_by text,
    ADD COLUMN state text NOT NULL DEFAULT 'usable' CHECK (state IN ('usable', 'rejected', 'removed')),
    ADD COLUMN problem text;

-- The bytes of versions that hosts may need. In parts, so that nobody has to hold a whole one in memory.
CREATE TABLE pawl.plugin_blob (
    sha256 text COLLATE "C" PRIMARY KEY,
    -- Of the shared library.
    size_bytes bigint NOT NULL CHECK (size_bytes BETWEEN 1 AND 268435456),
    parts integer NOT NULL CHECK (parts >= 1),
    -- Text that the library is given; part of what the hash names.
    configuration text,
    -- Detached, of what its author signed; hosts check it again.
    signature bytea,
    -- All parts are there.
    complete boolean NOT NULL DEFAULT false,
    stored_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE pawl.plugin_blob_part (
    sha256 text COLLATE "C" NOT NULL REFERENCES pawl.plugin_blob (sha256) ON DELETE CASCADE,
    part integer NOT NULL,
    bytes bytea NOT NULL,
    PRIMARY KEY (sha256, part)
);
-- Machine code is not worth the time of compressing it.
ALTER TABLE pawl.plugin_blob_part ALTER COLUMN bytes SET STORAGE EXTERNAL;

CREATE TABLE pawl.plugin_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plugin text COLLATE "C" NOT NULL,
    sha256 text COLLATE "C",
    -- Null: the cluster's, not one host's.
    host_id bigint,
    at timestamptz NOT NULL DEFAULT now(),
    kind text NOT NULL,
    detail json
);
CREATE INDEX plugin_event_plugin ON pawl.plugin_event (plugin, id DESC);

-- What each host has of each plugin. Drift: a host that is there serves another version than pawl.plugin says.
CREATE TABLE pawl.plugin_host (
    host_id bigint NOT NULL,
    plugin text COLLATE "C" NOT NULL,
    -- What it serves; null: nothing.
    sha256 text COLLATE "C",
    -- What it has beside it and does not serve to all: a canary, or a version that is held back.
    candidate text COLLATE "C",
    state text NOT NULL,
    problem text,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (host_id, plugin)
);

-- A version that a run crashed in while that version was on trial: the run goes to others.
ALTER TABLE pawl.run_live ADD COLUMN avoid_version text;
ALTER TABLE pawl.run_waiting ADD COLUMN avoid_version text;

-- How long each run of a schedule may wait for its start.
ALTER TABLE pawl.schedule ADD COLUMN queue_ms bigint CHECK (queue_ms >= 1);
