-- Follow-up runs: which run asked for which, and that it got each of them once.

CREATE TABLE pawl.follow_up (
    parent bigint NOT NULL,
    -- From 1, in the order in which the handler asked.
    number integer NOT NULL,
    child bigint NOT NULL,
    job text NOT NULL COLLATE "C",
    -- When both runs are forgotten, or will be soon.
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (parent, number)
);
CREATE INDEX follow_up_child ON pawl.follow_up (child);
CREATE INDEX follow_up_expiry ON pawl.follow_up (expires_at);
