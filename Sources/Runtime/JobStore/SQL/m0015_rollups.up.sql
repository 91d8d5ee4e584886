-- Rollups: how many runs entered which state when, how long they had waited and how long they ran. Nothing that a page
-- shows counts runs.

-- Figures of a change: sums of microseconds, and for each attempt that ended the numbers of the two buckets that its times
-- are in (pawl.latency_bucket): the wait's times 512 plus the run's.
ALTER TABLE pawl.counter_delta
    DROP COLUMN run_ms,
    ADD COLUMN wait_us bigint,
    ADD COLUMN run_us bigint,
    ADD COLUMN spans integer[];

-- How long a bucket is and how long it is kept.
CREATE TABLE pawl.rollup_plan (
    step_s integer PRIMARY KEY,
    name text NOT NULL UNIQUE,
    keep_s bigint NOT NULL
);
INSERT INTO pawl.rollup_plan VALUES
    (10, 'rollup_10s', 3600), (60, 'rollup_1m', 48 * 3600), (3600, 'rollup_1h', 400 * 86400), (86400, 'rollup_1d', 400 * 86400);

-- One row for each state that runs of a queue and job entered in a bucket of time. With an empty queue and job: of all of them
-- together; there, the state 'up' says that there was a host, so what is missing is zero and not unknown.
CREATE TABLE pawl.rollup (
    step_s integer NOT NULL,
    at timestamptz NOT NULL,
    queue text COLLATE "C" NOT NULL,
    job text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    n bigint NOT NULL,
    -- Of the attempts that ended with it: due to started, started to ended. Sums of microseconds.
    wait_us bigint NOT NULL,
    run_us bigint NOT NULL,
    -- Histograms of the same times: eight bytes (int8send) for a count times 512 plus a bucket's number. A bucket may come
    -- more than once, so histograms are added by putting one behind the other: string_agg adds any number of them.
    wait bytea NOT NULL DEFAULT '',
    run bytea NOT NULL DEFAULT '',
    PRIMARY KEY (step_s, queue, job, at, state)
) PARTITION BY LIST (step_s);
CREATE INDEX rollup_at ON pawl.rollup (at);
CREATE TABLE pawl.rollup_10s PARTITION OF pawl.rollup FOR VALUES IN (10)
    WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
CREATE TABLE pawl.rollup_1m PARTITION OF pawl.rollup FOR VALUES IN (60)
    WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
CREATE TABLE pawl.rollup_1h PARTITION OF pawl.rollup FOR VALUES IN (3600)
    WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
CREATE TABLE pawl.rollup_1d PARTITION OF pawl.rollup FOR VALUES IN (86400)
    WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- The bucket of a time: log-linear, 8 buckets for each power of two of microseconds, so the middle of a bucket is at most
-- 6.25 % away from all that is in it. The numbers are the lower bounds of the buckets 1 to 311 (JobCore: LatencyHistogram).
CREATE FUNCTION pawl.latency_bucket(span interval) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT width_bucket(round(date_part('epoch', span) * 1e6), '{
            1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,18,20,22,24,26,28,30,32,36,40,44,48,52,56,60,64,72,80,88,96,104,112,120,
            128,144,160,176,192,208,224,240,256,288,320,352,384,416,448,480,512,576,640,704,768,832,896,960,1024,1152,1280,
            1408,1536,1664,1792,1920,2048,2304,2560,2816,3072,3328,3584,3840,4096,4608,5120,5632,6144,6656,7168,7680,8192,
            9216,10240,11264,12288,13312,14336,15360,16384,18432,20480,22528,24576,26624,28672,30720,32768,36864,40960,45056,
            49152,53248,57344,61440,65536,73728,81920,90112,98304,106496,114688,122880,131072,147456,163840,180224,196608,
            212992,229376,245760,262144,294912,327680,360448,393216,425984,458752,491520,524288,589824,655360,720896,786432,
            851968,917504,983040,1048576,1179648,1310720,1441792,1572864,1703936,1835008,1966080,2097152,2359296,2621440,
            2883584,3145728,3407872,3670016,3932160,4194304,4718592,5242880,5767168,6291456,6815744,7340032,7864320,8388608,
            9437184,10485760,11534336,12582912,13631488,14680064,15728640,16777216,18874368,20971520,23068672,25165824,
            27262976,29360128,31457280,33554432,37748736,41943040,46137344,50331648,54525952,58720256,62914560,67108864,
            75497472,83886080,92274688,100663296,109051904,117440512,125829120,134217728,150994944,167772160,184549376,
            201326592,218103808,234881024,251658240,268435456,301989888,335544320,369098752,402653184,436207616,469762048,
            503316480,536870912,603979776,671088640,738197504,805306368,872415232,939524096,1006632960,1073741824,1207959552,
            1342177280,1476395008,1610612736,1744830464,1879048192,2013265920,2147483648,2415919104,2684354560,2952790016,
            3221225472,3489660928,3758096384,4026531840,4294967296,4831838208,5368709120,5905580032,6442450944,6979321856,
            7516192768,8053063680,8589934592,9663676416,10737418240,11811160064,12884901888,13958643712,15032385536,
            16106127360,17179869184,19327352832,21474836480,23622320128,25769803776,27917287424,30064771072,32212254720,
            34359738368,38654705664,42949672960,47244640256,51539607552,55834574848,60129542144,64424509440,68719476736,
            77309411328,85899345920,94489280512,103079215104,111669149696,120259084288,128849018880,137438953472,154618822656,
            171798691840,188978561024,206158430208,223338299392,240518168576,257698037760,274877906944,309237645312,
            343597383680,377957122048,412316860416,446676598784,481036337152,515396075520,549755813888,618475290624,
            687194767360,755914244096,824633720832,893353197568,962072674304,1030792151040,1099511627776,1236950581248,
            1374389534720,1511828488192,1649267441664,1786706395136,1924145348608,2061584302080
        }'::float8[])
$$;

-- What is in a histogram: for people, and for those below.
CREATE FUNCTION pawl.histogram_read(packed bytea, OUT bucket integer, OUT n bigint) RETURNS SETOF record
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (e & 511)::integer, sum(e >> 9)::bigint
    FROM (SELECT ('x' || encode(substring(packed FROM 8 * i + 1 FOR 8), 'hex'))::bit(64)::bigint AS e
        FROM generate_series(0, octet_length(packed) / 8 - 1) AS i) s
    GROUP BY 1 ORDER BY 1
$$;

-- The same histogram with each bucket once.
CREATE FUNCTION pawl.histogram_compact(packed bytea) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT string_agg(int8send(n * 512 + bucket), ''::bytea) FROM pawl.histogram_read(packed)
$$;

-- What was counted before.
INSERT INTO pawl.rollup (step_s, at, queue, job, state, n, wait_us, run_us)
SELECT step_s, at, coalesce(queue, ''), coalesce(job, ''), state, sum(n), 0, sum(run_ms) * 1000
FROM (
    SELECT p.step_s, date_bin(p.step_s * interval '1 second', m.minute, 'epoch') AS at, m.queue, m.job, m.state, m.n, m.run_ms
    FROM pawl.run_minute m CROSS JOIN pawl.rollup_plan p
    WHERE p.step_s >= 60 AND m.minute > now() - p.keep_s * interval '1 second') m
GROUP BY step_s, at, state, GROUPING SETS ((queue, job), ());
DROP TABLE pawl.run_minute;

-- The newest id that had been drawn when: runs with greater ids were requested later. At most one row a minute.
CREATE TABLE pawl.run_mark (
    at timestamptz PRIMARY KEY,
    last_id bigint NOT NULL
);
