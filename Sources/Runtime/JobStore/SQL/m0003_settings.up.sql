-- What runs are made of and who executes them: jobs, queues, schedules, plugins, hosts, audit.

CREATE TABLE pawl.job (
    name text COLLATE "C" PRIMARY KEY,
    handler text COLLATE "C" NOT NULL,
    plugin text,
    description text,
    args_schema json,
    result_schema json,
    queue text COLLATE "C" NOT NULL DEFAULT 'default',
    priority integer NOT NULL DEFAULT 0,
    attempts integer CHECK (attempts BETWEEN 1 AND 1000),
    backoff json,
    -- the operator's
    limits json NOT NULL DEFAULT '{}',
    -- the plugin's
    handler_limits json NOT NULL DEFAULT '{}',
    handler_attempts integer,
    retention smallint NOT NULL DEFAULT 30 CHECK (retention IN (1, 7, 30, 90, 365)),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    revision bigint NOT NULL DEFAULT 1
);

-- A row is made when somebody pauses or sets a queue; others exist by being used.
CREATE TABLE pawl.queue (
    name text COLLATE "C" PRIMARY KEY,
    paused_at timestamptz,
    pause_reason text,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Hosts that have nothing to do and want to be notified. Queue '*' means all.
CREATE UNLOGGED TABLE pawl.sleeper (
    queue text COLLATE "C" NOT NULL,
    host_id bigint NOT NULL,
    PRIMARY KEY (queue, host_id)
);

CREATE TABLE pawl.schedule (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text,
    job text COLLATE "C" NOT NULL REFERENCES pawl.job (name),
    kind text NOT NULL CHECK (kind IN ('once', 'interval', 'cron', 'calendar')),
    spec json NOT NULL,
    timezone text NOT NULL,
    args json NOT NULL,
    queue text COLLATE "C",
    priority integer,
    attempts integer CHECK (attempts BETWEEN 1 AND 1000),
    timeout_ms bigint,
    title text,
    description text,
    labels jsonb,
    owner text,
    starts_at timestamptz,
    ends_at timestamptz,
    max_runs integer CHECK (max_runs > 0),
    enabled boolean NOT NULL DEFAULT true,
    next_at timestamptz,
    run_count integer NOT NULL DEFAULT 0,
    last_planned_at timestamptz,
    last_run bigint,
    last_error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    revision bigint NOT NULL DEFAULT 1
);
CREATE INDEX schedule_due ON pawl.schedule (next_at) WHERE enabled;
CREATE INDEX schedule_job ON pawl.schedule (job);

CREATE TABLE pawl.schedule_occurrence (
    schedule_id bigint NOT NULL REFERENCES pawl.schedule (id) ON DELETE CASCADE,
    planned_at timestamptz NOT NULL,
    fired_at timestamptz NOT NULL DEFAULT now(),
    run_id bigint,
    missed integer NOT NULL DEFAULT 0,
    -- Whatever happens, a planned time fires once.
    PRIMARY KEY (schedule_id, planned_at)
);
CREATE INDEX schedule_occurrence_age ON pawl.schedule_occurrence (fired_at);

CREATE TABLE pawl.plugin (
    name text PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE pawl.plugin_version (
    sha256 text COLLATE "C" PRIMARY KEY CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    plugin text NOT NULL REFERENCES pawl.plugin (name),
    label text,
    abi text,
    size_bytes bigint NOT NULL,
    manifest json,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    last_active_at timestamptz
);
CREATE INDEX plugin_version_plugin ON pawl.plugin_version (plugin);

CREATE TABLE pawl.host (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Whoever comes with the same data directory is the same host, one epoch later.
    data_directory_id text NOT NULL UNIQUE,
    epoch bigint NOT NULL DEFAULT 1,
    hostname text NOT NULL,
    pid integer NOT NULL,
    version text NOT NULL,
    git_sha text,
    slots integer NOT NULL,
    capabilities json NOT NULL DEFAULT '{}',
    state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'stopping', 'stopped', 'silent')),
    started_at timestamptz NOT NULL DEFAULT now(),
    heartbeat_at timestamptz NOT NULL DEFAULT now(),
    stopped_at timestamptz
);

CREATE TABLE pawl.audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    time timestamptz NOT NULL DEFAULT now(),
    actor text,
    action text NOT NULL,
    target text NOT NULL,
    detail json
);
