/* plugin.c - a plugin as one was written for the first release. */
#include <pawl.h>
#include <stdio.h>
#include <string.h>

static int32_t twice(void *user, pawl_attempt *attempt, pawl_bytes json) {
    const pawl_host *host = attempt->host;
    const pawl_ext_args *args = host->get_extension(host, PAWL_EXT_ARGS);
    int64_t n = 0;
    char out[64];
    (void)user, (void)json;
    if (args == NULL) return PAWL_E_UNSUPPORTED;
    int32_t status = args->get_int(attempt, "n", 0, 1000, &n);
    if (status != PAWL_OK) return status;
    host->log(attempt, PAWL_LOG_INFO, PAWL_STR("this is an old plugin"), PAWL_NO_STR);
    host->set_stage(attempt, PAWL_STR("Counting"));
    host->set_total(attempt, (uint64_t)n, PAWL_STR("things"));
    for (int64_t i = 0; i < n; i++) host->advance(attempt, 1);
    host->count(attempt, PAWL_STR("things"), n);
    snprintf(out, sizeof out, "{\"twice\":%lld}", (long long)n * 2);
    return host->result_json(attempt, (pawl_str){out, strlen(out)});
}

static const pawl_handler handlers[] = {{.struct_size = sizeof(pawl_handler), .name = "old.release", .run = twice}};
PAWL_PLUGIN("old", "1.0.0", handlers)
