-- Log lines (insert only, by COPY), their index, and events that are out of the ordinary.

CREATE TABLE pawl.run_log (
    run_id bigint NOT NULL,
    seq bigint NOT NULL,
    attempt integer NOT NULL,
    time timestamptz NOT NULL,
    -- 0 handler, 1 stdout, 2 stderr, 3 host
    stream smallint NOT NULL CHECK (stream BETWEEN 0 AND 3),
    -- 0 debug, 1 info, 2 warning, 3 error
    level smallint NOT NULL CHECK (level BETWEEN 0 AND 3),
    stage text,
    message text NOT NULL,
    fields json
) PARTITION BY RANGE (time);
-- Not unique: a COPY that may have been committed is repeated, and readers drop doubles.
CREATE INDEX run_log_run ON pawl.run_log (run_id, seq);
CREATE INDEX run_log_time ON pawl.run_log USING brin (time);

-- One row for each thousand lines or so, and for the rest of an attempt.
CREATE TABLE pawl.run_log_index (
    run_id bigint NOT NULL,
    attempt integer NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    lines bigint NOT NULL,
    debug bigint NOT NULL,
    info bigint NOT NULL,
    warning bigint NOT NULL,
    error bigint NOT NULL,
    time timestamptz NOT NULL DEFAULT now()
) PARTITION BY RANGE (time);
CREATE INDEX run_log_index_run ON pawl.run_log_index (run_id);

CREATE SEQUENCE pawl.run_event_id;
CREATE TABLE pawl.run_event (
    id bigint NOT NULL DEFAULT nextval('pawl.run_event_id'),
    time timestamptz NOT NULL DEFAULT now(),
    run_id bigint NOT NULL,
    attempt integer,
    kind text NOT NULL,
    actor text,
    detail json,
    PRIMARY KEY (id, time)
) PARTITION BY RANGE (time);
CREATE INDEX run_event_run ON pawl.run_event (run_id, id);
