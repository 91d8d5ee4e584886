/* sql.c - sql.run: SQL against a PostgreSQL server. Rows come back as JSON objects, at most `max_rows` of them; a cancellation
 * reaches the server; the session ends with the run, and its application_name carries the run's id.
 *
 * One statement goes with parameters (never pasted into the text), several without. */
#include <errno.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/author.h"

#define PARAMETERS_MAX 1000
#define RESULT_MAX (32u << 20) /* bytes of JSON; the host takes 64 MiB */
#define NOTICES_MAX 200

typedef struct work {
    pawl_attempt *attempt;
    pawl_str url, url_env, sql;
    const char **params;
    size_t param_count;
    int64_t max_rows, connect_timeout_ms, statement_timeout_ms;
    int32_t in_transaction, read_only;
    PGconn *connection;
    text rows;
    uint64_t row_count, kept, affected, statements, notices;
    int truncated;
} work;

static int32_t options_read(work *w) {
    static const char *const known[] = {"url", "url_env", "sql", "params", "max_rows", "transaction", "read_only",
                                        "connect_timeout_ms", "statement_timeout_ms"};
    pawl_attempt *attempt = w->attempt;
    w->max_rows = 1000;
    w->connect_timeout_ms = 10000;
    w->in_transaction = 1;
    TRY(args->only(attempt, known, sizeof known / sizeof known[0]));
    TRY(read_text(attempt, "url", 0, &w->url));
    TRY(read_text(attempt, "url_env", 0, &w->url_env));
    if (w->url.len > 0 && w->url_env.len > 0) return wrong(attempt, "url_env", "and \"url\" exclude each other");
    TRY(read_text(attempt, "sql", 1, &w->sql));
    if (strspn(w->sql.ptr, " \t\r\n;") == w->sql.len) return wrong(attempt, "sql", "must not be empty");
    TRY(read_list(attempt, "params", PARAMETERS_MAX, &w->params, &w->param_count));
    TRY(args->get_int(attempt, "max_rows", 0, 1000000, &w->max_rows));
    TRY(args->get_int(attempt, "connect_timeout_ms", 100, 600000, &w->connect_timeout_ms));
    TRY(args->get_int(attempt, "statement_timeout_ms", 0, 86400000, &w->statement_timeout_ms));
    TRY(args->get_bool(attempt, "transaction", &w->in_transaction));
    TRY(args->get_bool(attempt, "read_only", &w->read_only));
    if (w->url_env.len > 0) {
        const char *value = getenv(w->url_env.ptr);
        if (value == NULL) return wrong(attempt, "url_env", "names a variable that the attempt's environment does not have");
        w->url = (pawl_str){value, strlen(value)};
    }
    return PAWL_OK;
}

/* Waits for the connection's descriptor or a cancellation. PAWL_OK, PAWL_E_CANCELLED, PAWL_E_TIMEOUT. */
static int32_t wait_for(work *w, short events, int64_t until_ns) {
    const pawl_host *host = w->attempt->host;
    for (;;) {
        int64_t now = host->now_ns();
        if (host->is_cancelled(w->attempt)) return PAWL_E_CANCELLED;
        if (now >= until_ns) return PAWL_E_TIMEOUT;
        int wait_ms = until_ns == INT64_MAX ? -1 : (int)((until_ns - now) / 1000000) + 1;
        struct pollfd fds[2] = {{.fd = PQsocket(w->connection), .events = events},
                                {.fd = host->cancel_fd(w->attempt), .events = POLLIN}};
        int ready = poll(fds, 2, wait_ms);
        if (ready < 0 && errno != EINTR) return PAWL_E_FAILED;
        if (ready > 0 && fds[0].revents != 0) return PAWL_OK;
    }
}

/* libpq's words end with line feeds. */
static int32_t connection_failed(work *w, const char *code) {
    const char *words = PQerrorMessage(w->connection);
    size_t length = strlen(words);
    while (length > 0 && words[length - 1] == '\n') length--;
    return fail_with(w->attempt, code, PAWL_RETRY_YES, "%.*s", (int)length, words);
}

static void on_notice(void *user, const PGresult *result) {
    work *w = user;
    const char *words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY), *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (words == NULL || ++w->notices > NOTICES_MAX) return;
    int is_warning = severity != NULL && strcmp(severity, "WARNING") == 0;
    if (is_warning) w->attempt->host->count(w->attempt, PAWL_STR("warnings"), 1);
    log_line(w->attempt, is_warning ? PAWL_LOG_WARNING : PAWL_LOG_INFO, "%s: %s", severity == NULL ? "NOTICE" : severity, words);
}

/* libpq quotes what it cannot parse, a password included; what it can parse it names by host and port only. */
static bool is_understood(const char *url) {
    PQconninfoOption *options = PQconninfoParse(url, NULL);
    PQconninfoFree(options); /* NULL is fine */
    return options != NULL;
}

static int32_t open_connection(work *w) {
    char name[64];
    pawl_str run = w->attempt->host->run_id(w->attempt);
    snprintf(name, sizeof name, "pawl %.*s", (int)run.len, run.ptr);
    /* The last one wins: whatever the URL says, the session carries the run's id. */
    const char *keys[] = {"dbname", "application_name", "client_encoding", NULL};
    const char *values[] = {w->url.len > 0 ? w->url.ptr : "", name, "UTF8", NULL};
    if (w->url.len > 0 && !is_understood(w->url.ptr))
        return fail_with(w->attempt, "invalid_url", PAWL_RETRY_NEVER,
                         "url is neither postgresql://USER@HOST:PORT/DATABASE nor NAME=value words that libpq knows (its text is not "
                         "repeated here: it may hold a password)");
    w->connection = PQconnectStartParams(keys, values, 1);
    if (w->connection == NULL) return fail_with(w->attempt, "out_of_memory", PAWL_RETRY_BY_POLICY, "out of memory");
    if (PQstatus(w->connection) == CONNECTION_BAD) return connection_failed(w, "connect");
    int64_t until = w->attempt->host->now_ns() + w->connect_timeout_ms * 1000000;
    PQsetNoticeReceiver(w->connection, on_notice, w);
    for (PostgresPollingStatusType step = PGRES_POLLING_WRITING; step != PGRES_POLLING_OK;) {
        int32_t status = wait_for(w, step == PGRES_POLLING_READING ? POLLIN : POLLOUT, until);
        if (status == PAWL_E_TIMEOUT)
            return fail_with(w->attempt, "connect_timeout", PAWL_RETRY_YES, "the server did not answer within %" PRId64 " ms", w->connect_timeout_ms);
        if (status != PAWL_OK) return status;
        step = PQconnectPoll(w->connection);
        if (step == PGRES_POLLING_FAILED) return connection_failed(w, "connect");
    }
    return PQsetnonblocking(w->connection, 1) == 0 ? PAWL_OK : connection_failed(w, "connect");
}

/* The server is told to stop, over a connection of its own; then its answer is awaited, briefly. */
static int32_t cancel(work *w) {
    char words[256];
    PGcancel *handle = PQgetCancel(w->connection);
    if (handle == NULL || !PQcancel(handle, words, (int)sizeof words))
        log_line(w->attempt, PAWL_LOG_WARNING, "the server could not be told to stop; the session ends");
    else log_line(w->attempt, PAWL_LOG_INFO, "the server was told to stop the statement");
    PQfreeCancel(handle);
    return PAWL_E_CANCELLED;
}

/* Types whose text is a JSON value as it stands. */
static int is_bare(Oid type, const char *value) {
    switch (type) {
    case 20: case 21: case 23: case 26: case 114: case 3802: return 1; /* int8 int2 int4 oid json jsonb */
    case 700: case 701: case 1700: return strpbrk(value, "NI") == NULL; /* float4 float8 numeric: NaN and Infinity are not */
    default: return 0;
    }
}

static void keep_row(work *w, const PGresult *result, int row) {
    w->row_count++;
    w->attempt->host->advance(w->attempt, 1);
    if (w->kept >= (uint64_t)w->max_rows || w->truncated) {
        w->truncated = 1;
        return;
    }
    size_t before = w->rows.length;
    text_put(&w->rows, w->kept > 0 ? ",{" : "{", w->kept > 0 ? 2 : 1);
    for (int c = 0; c < PQnfields(result); c++) {
        const char *name = PQfname(result, c), *value = PQgetvalue(result, row, c);
        if (c > 0) text_put(&w->rows, ",", 1);
        text_string(&w->rows, name, strlen(name));
        text_put(&w->rows, ":", 1);
        if (PQgetisnull(result, row, c)) text_put(&w->rows, "null", 4);
        else if (PQftype(result, c) == 16) text_format(&w->rows, value[0] == 't' ? "true" : "false");
        else if (is_bare(PQftype(result, c), value)) text_put(&w->rows, value, (size_t)PQgetlength(result, row, c));
        else text_string(&w->rows, value, (size_t)PQgetlength(result, row, c));
    }
    text_put(&w->rows, "}", 1);
    if (w->rows.length > RESULT_MAX) {
        w->rows.length = before;
        w->truncated = 1;
    } else w->kept++;
}

static int32_t statement_failed(work *w, const PGresult *result) {
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE), *words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT), *position = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);
    char code[32], details[128];
    if (state == NULL) return connection_failed(w, "connection_lost");
    snprintf(code, sizeof code, "sql_%.5s", state);
    snprintf(details, sizeof details, "{\"sqlstate\":\"%.5s\",\"statement\":%" PRIu64 ",\"position\":%s}", state, w->statements + 1,
             position == NULL ? "null" : position);
    /* Serialisation, deadlock, lost connections, too little of something, an operator's intervention: worth another attempt. Wrong SQL, wrong
     * data or missing rights are not. */
    int again = strncmp(state, "40", 2) == 0 || strncmp(state, "08", 2) == 0 || strncmp(state, "53", 2) == 0 || strncmp(state, "57", 2) == 0 ||
                strncmp(state, "58", 2) == 0 || strncmp(state, "55", 2) == 0;
    return fail_later(w->attempt, code, again ? PAWL_RETRY_YES : PAWL_RETRY_NEVER, 0, details, "%s%s%s", words == NULL ? "the server refused" : words,
                      hint == NULL ? "" : ". ", hint == NULL ? "" : hint);
}

/* Takes what the statements answer. */
static int32_t collect(work *w, int quiet) {
    int32_t status = PAWL_OK;
    int flushing = 1;
    for (;;) {
        while (flushing || PQisBusy(w->connection)) {
            if (flushing) {
                int left = PQflush(w->connection);
                if (left < 0) return connection_failed(w, "connection_lost");
                flushing = left;
                if (!flushing) continue;
            }
            int32_t waited = wait_for(w, (short)(POLLIN | (flushing ? POLLOUT : 0)), INT64_MAX);
            if (waited == PAWL_E_CANCELLED) return cancel(w);
            if (waited != PAWL_OK) return fail_with(w->attempt, "poll", PAWL_RETRY_BY_POLICY, "poll: %s", strerror(errno));
            if (!PQconsumeInput(w->connection)) return connection_failed(w, "connection_lost");
        }
        if (w->attempt->host->is_cancelled(w->attempt)) return cancel(w);
        PGresult *result = PQgetResult(w->connection);
        if (result == NULL) return status;
        switch (PQresultStatus(result)) {
        case PGRES_SINGLE_TUPLE:
        case PGRES_TUPLES_OK:
            for (int row = 0; status == PAWL_OK && !quiet && row < PQntuples(result); row++) keep_row(w, result, row);
            if (PQresultStatus(result) == PGRES_SINGLE_TUPLE) break;
            /* fall through */
        case PGRES_COMMAND_OK:
            if (!quiet) {
                w->statements++;
                if (strncmp(PQcmdStatus(result), "SELECT", 6) != 0) w->affected += strtoull(PQcmdTuples(result), NULL, 10);
                log_line(w->attempt, PAWL_LOG_INFO, "%s", PQcmdStatus(result));
            }
            break;
        case PGRES_EMPTY_QUERY: break;
        case PGRES_COPY_IN:
        case PGRES_COPY_OUT:
        case PGRES_COPY_BOTH:
            PQclear(result);
            return fail_with(w->attempt, "copy", PAWL_RETRY_NEVER, "COPY to or from the client is not possible here");
        default:
            if (status == PAWL_OK) status = statement_failed(w, result);
        }
        PQclear(result);
    }
}

static int32_t command(work *w, const char *sql) {
    return PQsendQuery(w->connection, sql) ? collect(w, 1) : connection_failed(w, "connection_lost");
}

static int32_t execute(work *w) {
    char begin[160];
    const pawl_host *host = w->attempt->host;
    host->set_stage(w->attempt, PAWL_STR("Connecting"));
    int32_t status = open_connection(w);
    if (status != PAWL_OK) return status;
    /* The server looks after its client also while a statement computes; older ones do not know how. */
    if (PQserverVersion(w->connection) >= 140000) status = command(w, "SET client_connection_check_interval = '1s'");
    if (status == PAWL_OK && w->statement_timeout_ms > 0) {
        snprintf(begin, sizeof begin, "SET statement_timeout = %" PRId64, w->statement_timeout_ms);
        status = command(w, begin);
    }
    if (status == PAWL_OK && w->read_only) status = command(w, "SET default_transaction_read_only = on");
    if (status == PAWL_OK && w->in_transaction) status = command(w, "BEGIN");
    if (status != PAWL_OK) return status;
    host->set_stage(w->attempt, PAWL_STR("Executing"));
    host->set_total(w->attempt, PAWL_TOTAL_UNKNOWN, PAWL_STR("rows"));
    int sent = w->param_count > 0
        ? PQsendQueryParams(w->connection, w->sql.ptr, (int)w->param_count, NULL, w->params, NULL, NULL, 0)
        : PQsendQuery(w->connection, w->sql.ptr);
    if (!sent) return connection_failed(w, "connection_lost");
    PQsetSingleRowMode(w->connection);
    status = collect(w, 0);
    if (status == PAWL_OK && w->in_transaction) {
        /* SQL that failed is rolled back with the session. */
        host->set_stage(w->attempt, PAWL_STR("Committing"));
        status = command(w, "COMMIT");
    }
    return status;
}

static int32_t run_sql(void *user, pawl_attempt *attempt, pawl_bytes json) {
    (void)user;
    (void)json;
    work w = {.attempt = attempt};
    int32_t status = options_read(&w);
    if (status == PAWL_OK) status = execute(&w);
    if (w.row_count > 0) attempt->host->count(attempt, PAWL_STR("rows"), (int64_t)w.row_count);
    if (w.affected > 0) attempt->host->count(attempt, PAWL_STR("affected"), (int64_t)w.affected);
    if (status == PAWL_OK) {
        text t = {0};
        text_format(&t, "{\"statements\":%" PRIu64 ",\"row_count\":%" PRIu64 ",\"affected\":%" PRIu64 ",\"truncated\":%s,\"rows\":[",
                    w.statements, w.row_count, w.affected, w.truncated ? "true" : "false");
        text_put(&t, w.rows.bytes, w.rows.length);
        text_put(&t, "]}", 2);
        t.failed |= w.rows.failed;
        status = text_result(&t, attempt);
    }
    PQfinish(w.connection);
    text_free(&w.rows);
    free(w.params);
    return status;
}

static const pawl_handler handlers[] = {
    {.struct_size = sizeof(pawl_handler), .name = "sql.run",
     .description = "Runs SQL on a PostgreSQL server, in one transaction, and gives its rows as JSON.",
     .args_schema = SCHEMA_HEAD
         "\"url\":{\"type\":\"string\",\"description\":\"postgresql://… or a conninfo; absent: PGHOST and its kin\"},"
         "\"url_env\":{\"type\":\"string\",\"description\":\"a variable of the attempt's environment that holds the URL\"},"
         "\"sql\":{\"type\":\"string\",\"minLength\":1,\"description\":\"one statement, or several where there are no params\"},"
         "\"params\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"maxItems\":1000,\"description\":\"for $1, $2, …, as texts\"},"
         "\"max_rows\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":1000000,\"default\":1000,"
         "\"description\":\"rows in the result; further ones are counted\"},"
         "\"transaction\":{\"type\":\"boolean\",\"default\":true,\"description\":\"all or nothing; false for VACUUM and the like\"},"
         "\"read_only\":{\"type\":\"boolean\",\"default\":false},"
         "\"connect_timeout_ms\":{\"type\":\"integer\",\"minimum\":100,\"maximum\":600000,\"default\":10000},"
         "\"statement_timeout_ms\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":86400000,\"description\":\"0: the server's own\"}"
         "},\"required\":[\"sql\"],\"additionalProperties\":false}",
     .result_schema = "{\"type\":\"object\",\"properties\":{\"statements\":{\"type\":\"integer\"},\"row_count\":{\"type\":\"integer\"},"
         "\"affected\":{\"type\":\"integer\"},\"truncated\":{\"type\":\"boolean\"},\"rows\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}}}",
     .run = run_sql}};

AUTHOR_PLUGIN("sql", "1.0.0", handlers, NULL, NULL)
