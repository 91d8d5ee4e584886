/* enqueuelimit.c - what PostgreSQL alone can take of rows of our shape, without any host.
 *
 *   enqueuelimit CONNINFO ROWS BATCH CONNECTIONS
 *
 * ROWS in all, shared by the connections, each of which is a process; BATCH rows per statement and commit, from two arrays
 * (job and args) by unnest, into a table LIKE the product's (same columns, keys, storage settings) in a schema of its own,
 * pawl_limit, which is dropped at the end; and one row of counters per statement. Prints one line of JSON.
 */
#define _GNU_SOURCE
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void checked(PGconn *connection, PGresult *result) {
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        fprintf(stderr, "enqueuelimit: %s\n", PQerrorMessage(connection));
        exit(1);
    }
    PQclear(result);
}

static const char *const setup[] = {
    "SET client_min_messages = warning",
    "DROP SCHEMA IF EXISTS pawl_limit CASCADE",
    "CREATE SCHEMA pawl_limit",
    "CREATE SEQUENCE pawl_limit.id",
    "CREATE SEQUENCE pawl_limit.pos",
    "CREATE TABLE pawl_limit.live (LIKE pawl.run_live INCLUDING ALL)",
    "CREATE TABLE pawl_limit.delta (LIKE pawl.counter_delta INCLUDING ALL)",
    NULL};

static const char *const put =
    "WITH i AS (SELECT nextval('pawl_limit.id') AS id, nextval('pawl_limit.pos') AS pos, job, args "
    "FROM unnest($1::text[], $2::json[]) AS u (job, args)), "
    "l AS (INSERT INTO pawl_limit.live (id, queue, rank, pos, run_at, job, args, max_attempts, created_at, retention, trigger) "
    "SELECT id, 'default', 0, pos, now(), job, args, 3, now(), 30, 'api' FROM i), "
    "c AS (INSERT INTO pawl_limit.delta (queue, job, state, n) SELECT 'default', job, 'queued', count(*) FROM i GROUP BY job) "
    "SELECT id, pos FROM i";

/* An array in the server's text form: {element,element,…} */
static char *array(const char *element, int count) {
    size_t width = strlen(element) + 1;
    char *text = malloc(width * (size_t)count + 3), *at = text;
    if (!text) exit(1);
    *at++ = '{';
    for (int i = 0; i < count; i++) at += sprintf(at, i ? ",%s" : "%s", element);
    strcpy(at, "}");
    return text;
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "enqueuelimit CONNINFO ROWS BATCH CONNECTIONS\n");
        return 64;
    }
    int rows = atoi(argv[2]), batch = atoi(argv[3]), connections = atoi(argv[4]);
    int each = rows / connections / batch;
    PGconn *main_connection = PQconnectdb(argv[1]);
    for (int i = 0; setup[i]; i++) checked(main_connection, PQexec(main_connection, setup[i]));
    const char *values[] = {array("mischief.noop", batch), array("\"{\\\"n\\\": 12345}\"", batch)};
    int ready[2], start[2];
    if (pipe(ready) || pipe(start)) return 1;
    for (int c = 0; c < connections; c++) {
        if (fork() != 0) continue;
        char byte = 0;
        PGconn *connection = PQconnectdb(argv[1]);
        checked(connection, PQprepare(connection, "put", put, 0, NULL));
        close(start[1]);
        if (write(ready[1], &byte, 1) != 1 || read(start[0], &byte, 1) != 0) _exit(1);
        for (int i = 0; i < each; i++)
            checked(connection, PQexecPrepared(connection, "put", 2, values, NULL, NULL, 1));
        _exit(0);
    }
    for (int c = 0; c < connections; c++) {
        char byte;
        if (read(ready[0], &byte, 1) != 1) return 1;
    }
    double began = now();
    close(start[1]);
    close(start[0]);
    for (int c = 0, status; c < connections; c++)
        if (wait(&status) < 0 || status != 0) return 1;
    double seconds = now() - began;
    checked(main_connection, PQexec(main_connection, "DROP SCHEMA pawl_limit CASCADE"));
    PQfinish(main_connection);
    printf("{\"rows\": %d, \"seconds\": %.4f, \"per_second\": %.1f}\n", each * batch * connections, seconds,
           each * batch * connections / seconds);
    return 0;
}
