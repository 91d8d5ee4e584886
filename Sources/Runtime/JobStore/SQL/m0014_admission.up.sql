-- Admission: limits, pause and drain of queues and jobs.
--
-- Who changes these rules takes the advisory lock 0x7061776C00000003 alone; who claims takes it shared, in a statement before the
-- one that claims. So no claim that commits after a change has been made under the rules before it.

ALTER TABLE pawl.queue
    -- When a pause ends by itself.
    ADD COLUMN pause_until timestamptz,
    -- A drain is a pause that somebody waits for: until nothing of it runs any more.
    ADD COLUMN is_draining boolean NOT NULL DEFAULT false,
    -- How many runs may execute at once, everywhere and on one host; null: as many as there are slots.
    ADD COLUMN concurrency integer CHECK (concurrency >= 1),
    ADD COLUMN host_concurrency integer CHECK (host_concurrency >= 1),
    ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN revision bigint NOT NULL DEFAULT 1;

ALTER TABLE pawl.job
    ADD COLUMN paused_at timestamptz,
    ADD COLUMN pause_reason text,
    ADD COLUMN pause_until timestamptz,
    ADD COLUMN is_draining boolean NOT NULL DEFAULT false,
    ADD COLUMN concurrency integer CHECK (concurrency >= 1),
    ADD COLUMN host_concurrency integer CHECK (host_concurrency >= 1);
-- Where its queued runs wait: with those of other jobs (''), or by themselves while it has rules of its own, so that nobody has
-- to walk over them.
ALTER TABLE pawl.job ADD COLUMN lane text COLLATE "C" NOT NULL GENERATED ALWAYS AS (
    CASE WHEN paused_at IS NULL AND concurrency IS NULL AND host_concurrency IS NULL THEN '' ELSE name END) STORED;
CREATE INDEX job_lane ON pawl.job (lane) WHERE lane <> '';

-- When queued runs are next looked through for those that wait in the wrong lane.
CREATE TABLE pawl.lane_pass (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    due_at timestamptz NOT NULL DEFAULT 'infinity'
);
INSERT INTO pawl.lane_pass DEFAULT VALUES;

ALTER TABLE pawl.run_live
    ADD COLUMN lane text COLLATE "C" NOT NULL DEFAULT '',
    -- It was claimed under a limit: it is counted.
    ADD COLUMN is_limited boolean NOT NULL DEFAULT false;
DROP INDEX pawl.run_live_lane;
CREATE INDEX run_live_lane ON pawl.run_live (queue, rank, lane, pos) WHERE state = 'queued';
-- A few rows: those that run under a limit. Others cost nothing here.
CREATE INDEX run_live_limited ON pawl.run_live (queue, job) WHERE state = 'running' AND is_limited;

-- Runs that applications put in: at commit they go to the lane that their job has then.
CREATE FUNCTION pawl.find_lane() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT j.lane FROM pawl.job j WHERE j.name = NEW.job) <> NEW.lane THEN
        UPDATE pawl.run_live l SET lane = j.lane FROM pawl.job j
        WHERE l.id = NEW.id AND l.state = 'queued' AND j.name = NEW.job AND j.lane <> l.lane;
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER run_live_find_lane AFTER INSERT ON pawl.run_live DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (current_setting('pawl.host', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION pawl.find_lane();

-- Places of the oldest queued runs of these lanes, in the order of the lanes, locked; at most `most`, and of each lane, queue and
-- job no more than may be claimed. A queue or job with a limit everywhere gives none unless the caller holds its gate: its name
-- stands in the setting pawl.gates ('q' or 'j' before it), put there by an earlier statement of the transaction.
-- caps: at most so many of a lane (null: no bound). jobs: only runs of these (null: all).
CREATE FUNCTION pawl.admit(
    host bigint, queues text[], ranks bigint[], lanes text[], afters bigint[], caps bigint[], jobs text[], most bigint)
RETURNS TABLE (place tid, is_limited boolean) LANGUAGE plpgsql ROWS 1 AS $$
DECLARE
    gates text[] := coalesce(nullif(current_setting('pawl.gates', true), '')::text[], '{}');
    -- Jobs with rules of their own. Those of their runs that are not in their lanes yet wait until they are.
    ruled text[] := coalesce((SELECT array_agg(j.lane) FROM pawl.job j WHERE j.lane <> ''), '{}');
    -- Queues and jobs with rules, and how many runs of each may still be claimed.
    keys text[];
    free bigint[];
    -- Their places in `keys`.
    q integer;
    j integer;
    room bigint;
    taken bigint;
BEGIN
    SELECT array_agg(r.key), array_agg(CASE WHEN r.is_paused OR r.concurrency IS NOT NULL AND r.key <> ALL (gates) THEN 0
        ELSE least(r.concurrency - r.everywhere, r.host_concurrency - r.here) END)
    INTO keys, free
    FROM (
        SELECT 'q' || s.name AS key, s.concurrency, s.host_concurrency, n.everywhere, n.here,
            s.paused_at IS NOT NULL AND coalesce(s.pause_until > clock_timestamp(), true) AS is_paused
        FROM pawl.queue s CROSS JOIN LATERAL (
            SELECT count(*) AS everywhere, count(*) FILTER (WHERE l.host_id = host) AS here FROM pawl.run_live l
            WHERE l.state = 'running' AND l.is_limited AND l.queue = s.name) n
        WHERE s.name = ANY (queues)
        UNION ALL
        SELECT 'j' || s.name, s.concurrency, s.host_concurrency, n.everywhere, n.here,
            s.paused_at IS NOT NULL AND coalesce(s.pause_until > clock_timestamp(), true)
        FROM pawl.job s CROSS JOIN LATERAL (
            SELECT count(*) AS everywhere, count(*) FILTER (WHERE l.host_id = host) AS here FROM pawl.run_live l
            WHERE l.state = 'running' AND l.is_limited AND l.job = s.name) n
        WHERE s.name = ANY (lanes) AND s.lane <> ''
    ) r
    WHERE r.is_paused OR r.concurrency IS NOT NULL OR r.host_concurrency IS NOT NULL;
    FOR i IN 1..coalesce(cardinality(queues), 0) LOOP
        q := array_position(keys, 'q' || queues[i]);
        j := array_position(keys, 'j' || lanes[i]);
        room := least(most, caps[i], free[q], free[j]);
        CONTINUE WHEN room <= 0;
        RETURN QUERY
            SELECT r.ctid, coalesce(q, j) IS NOT NULL FROM pawl.run_live r
            WHERE r.queue = queues[i] AND r.rank = ranks[i] AND r.lane = lanes[i] AND r.state = 'queued' AND r.pos > afters[i]
                AND (r.lane <> '' OR r.job <> ALL (ruled))
                AND (jobs IS NULL OR r.job = ANY (jobs)) AND (r.expires_at IS NULL OR r.expires_at > now())
            ORDER BY r.pos LIMIT room FOR UPDATE SKIP LOCKED;
        GET DIAGNOSTICS taken = ROW_COUNT;
        most := most - taken;
        EXIT WHEN most <= 0;
        IF q IS NOT NULL THEN free[q] := free[q] - taken; END IF;
        IF j IS NOT NULL THEN free[j] := free[j] - taken; END IF;
    END LOOP;
END
$$;
