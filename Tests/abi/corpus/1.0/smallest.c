/* smallest.c - a plugin without limits, schemas, extensions: every member that may be zero is. Never edited. */
#include <pawl.h>

static int32_t run(void *user, pawl_attempt *attempt, pawl_bytes args) {
    const pawl_host *host = attempt->host;
    pawl_failure failure = {sizeof failure, PAWL_RETRY_NEVER, PAWL_STR("empty"), PAWL_STR("no args"), {NULL, 0}, 0};
    (void)user;
    if (args.len <= 2) return host->fail(attempt, &failure);
    host->count(attempt, PAWL_STR("bytes"), (int64_t)args.len);
    return host->result_bytes(attempt, args, PAWL_STR("application/json"));
}

static const pawl_handler handlers[] = {{.struct_size = sizeof(pawl_handler), .name = "old.smallest", .run = run}};
PAWL_PLUGIN("old-smallest", "1.0.0", handlers)
