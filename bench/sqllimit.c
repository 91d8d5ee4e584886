/* sqllimit.c - what PostgreSQL alone can do with rows of our shape: claims, settles and history without any host.
 *
 *   sqllimit CONNINFO RUNS BATCH      drain RUNS rows, BATCH per commit: claim, then delete live + insert run + attempt
 *   sqllimit CONNINFO idle ROUNDS     one row stored and claimed in one commit, again and again: the idle path's floor
 *
 * Works in a schema of its own, pawl_limit, with tables LIKE the product's (same columns, keys, partitions and storage settings),
 * and drops it at the end. Settings and durability are the server's. Prints one line of JSON.
 */
#define _GNU_SOURCE
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static PGconn *connection;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static PGresult *checked(PGresult *result) {
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_PIPELINE_SYNC) {
        fprintf(stderr, "sqllimit: %s\n", PQerrorMessage(connection));
        exit(1);
    }
    return result;
}

static void run(const char *sql) { PQclear(checked(PQexec(connection, sql))); }

static const char *const setup[] = {
    "DROP SCHEMA IF EXISTS pawl_limit CASCADE",
    "CREATE SCHEMA pawl_limit",
    "CREATE SEQUENCE pawl_limit.id CACHE 100",
    "CREATE TABLE pawl_limit.live (LIKE pawl.run_live INCLUDING ALL)",
    "CREATE TABLE pawl_limit.run (LIKE pawl.run INCLUDING ALL) PARTITION BY LIST (retention)",
    "CREATE TABLE pawl_limit.run_30 PARTITION OF pawl_limit.run FOR VALUES IN (30) PARTITION BY RANGE (finished_at)",
    "CREATE TABLE pawl_limit.run_30_now PARTITION OF pawl_limit.run_30 FOR VALUES FROM (MINVALUE) TO (MAXVALUE)",
    "CREATE TABLE pawl_limit.attempt (LIKE pawl.attempt INCLUDING ALL) PARTITION BY LIST (retention)",
    "CREATE TABLE pawl_limit.attempt_30 PARTITION OF pawl_limit.attempt FOR VALUES IN (30) PARTITION BY RANGE (ended_at)",
    "CREATE TABLE pawl_limit.attempt_30_now PARTITION OF pawl_limit.attempt_30 FOR VALUES FROM (MINVALUE) TO (MAXVALUE)",
    "SET plan_cache_mode = force_generic_plan",
    "SET enable_seqscan = off", "SET enable_sort = off", "SET enable_hashjoin = off",
    "SET enable_mergejoin = off", "SET enable_bitmapscan = off", "SET jit = off",
    "PREPARE put(int) AS INSERT INTO pawl_limit.live (id, queue, rank, pos, run_at, job, args, max_attempts, created_at, "
    "retention, trigger) SELECT v, 'default', 0, v, now(), 'mischief.noop', '{}', 3, now(), 30, 'api' "
    "FROM (SELECT nextval('pawl_limit.id') AS v FROM generate_series(1, $1)) s",
    NULL};

static const char *const claim =
    "UPDATE pawl_limit.live l SET state = 'running', host_id = 1, host_epoch = 1, attempt = attempt + 1, claimed_at = now() "
    "FROM (SELECT id FROM pawl_limit.live WHERE queue = 'default' AND rank = 0 AND state = 'queued' AND pos > $2::bigint "
    "ORDER BY pos LIMIT $1::int FOR UPDATE SKIP LOCKED) n WHERE l.id = n.id RETURNING l.id, l.job, l.args";

static const char *const settle =
    "WITH d AS (DELETE FROM pawl_limit.live WHERE id = ANY($1::bigint[]) AND state = 'running' AND attempt = 1 RETURNING *), "
    "r AS (INSERT INTO pawl_limit.run (id, queue, rank, state, run_at, job, args, max_attempts, created_at, retention, "
    "trigger, attempt, attempts_used, lost_count, outcome, host_id, started_at, finished_at, result) "
    "SELECT id, queue, rank, 'succeeded', run_at, job, args, max_attempts, created_at, retention, trigger, attempt, 1, 0, "
    "'succeeded', host_id, now(), now(), 'null' FROM d) "
    "INSERT INTO pawl_limit.attempt (run_id, attempt, retention, ended_at, job, outcome, host_id, host_epoch, pid, claimed_at, "
    "started_at, exit_code, user_cpu_us, system_cpu_us, max_rss_bytes) "
    "SELECT id, attempt, retention, now(), job, 'succeeded', host_id, host_epoch, 1, claimed_at, now(), 0, 100, 100, 4096 "
    "FROM d";

/* Sends settle (if any ids) and the next claim in one pipeline, so one round trip and one commit; returns the claimed. */
static PGresult *exchange(const char *ids, int batch, const char *watermark) {
    char limit[16];
    snprintf(limit, sizeof limit, "%d", batch);
    const char *claim_values[2] = {limit, watermark}, *settle_values[1] = {ids};
    int sent = 1;
    if (ids) sent &= PQsendQueryPrepared(connection, "settle", 1, settle_values, NULL, NULL, 0);
    sent &= PQsendQueryPrepared(connection, "claim", 2, claim_values, NULL, NULL, 0);
    if (!sent || !PQpipelineSync(connection)) checked(NULL);
    if (ids) {
        PQclear(checked(PQgetResult(connection)));
        PQgetResult(connection);
    }
    PGresult *claimed = checked(PQgetResult(connection));
    PQgetResult(connection);
    PQclear(checked(PQgetResult(connection)));
    return claimed;
}

static void prepare(const char *name, const char *sql) { PQclear(checked(PQprepare(connection, name, sql, 0, NULL))); }

static void drain(long runs, int batch) {
    for (long left = runs; left > 0; left -= 10000) {
        char sql[64];
        snprintf(sql, sizeof sql, "EXECUTE put(%ld)", left < 10000 ? left : 10000);
        run(sql);
    }
    run("VACUUM ANALYZE pawl_limit.live");
    PQenterPipelineMode(connection);
    char *ids = malloc((size_t)batch * 24 + 8), watermark[32] = "0";
    if (!ids) exit(1);
    long done = 0;
    int have = 0;
    double began = now();
    for (;;) {
        PGresult *claimed = exchange(have ? ids : NULL, batch, watermark);
        done += have;
        have = PQntuples(claimed);
        char *end = ids;
        *end++ = '{';
        for (int i = 0; i < have; i++) end += sprintf(end, i ? ",%s" : "%s", PQgetvalue(claimed, i, 0));
        strcpy(end, "}");
        long highest = atol(watermark);
        for (int i = 0; i < have; i++)
            if (atol(PQgetvalue(claimed, i, 0)) > highest) highest = atol(PQgetvalue(claimed, i, 0));
        snprintf(watermark, sizeof watermark, "%ld", highest);
        PQclear(claimed);
        if (!have) break;
    }
    double seconds = now() - began;
    PQexitPipelineMode(connection);
    printf("{\"runs\":%ld,\"batch\":%d,\"seconds\":%.3f,\"per_second\":%.0f}\n", done, batch, seconds, (double)done / seconds);
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void idle(long rounds) {
    double *took = calloc((size_t)rounds, sizeof *took);
    if (!took) exit(1);
    char watermark[32] = "0";
    for (long i = 0; i < rounds; i++) {
        char sql[96];
        /* Several commands in one string are one transaction; the last one's rows come back. */
        snprintf(sql, sizeof sql, "EXECUTE put(1); EXECUTE claim(16, %s)", watermark);
        double began = now();
        PGresult *claimed = checked(PQexec(connection, sql));
        took[i] = (now() - began) * 1e6;
        snprintf(watermark, sizeof watermark, "%s", PQgetvalue(claimed, 0, 0));
        PQclear(claimed);
        struct timespec pause = {0, 15000000};
        nanosleep(&pause, NULL);
    }
    qsort(took, (size_t)rounds, sizeof *took, compare);
    printf("{\"rounds\":%ld,\"p50_us\":%.0f,\"p99_us\":%.0f}\n", rounds, took[rounds / 2], took[rounds * 99 / 100]);
}

int main(int count, char **words) {
    if (count != 4) {
        fprintf(stderr, "usage: sqllimit CONNINFO RUNS BATCH | CONNINFO idle ROUNDS\n");
        return 64;
    }
    connection = PQconnectdb(words[1]);
    if (PQstatus(connection) != CONNECTION_OK) {
        fprintf(stderr, "sqllimit: %s\n", PQerrorMessage(connection));
        return 1;
    }
    run("SET client_min_messages = warning");
    for (const char *const *sql = setup; *sql; sql++) run(*sql);
    prepare("claim", claim);
    prepare("settle", settle);
    if (strcmp(words[2], "idle") == 0) idle(atol(words[3]));
    else drain(atol(words[2]), atoi(words[3]));
    run("DROP SCHEMA pawl_limit CASCADE");
    PQfinish(connection);
    return 0;
}
