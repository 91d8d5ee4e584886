/* use.c - every name of the header, used as an author would. */
#include <pawl.h>

static int32_t run(void *user, pawl_attempt *attempt, pawl_bytes args) {
    const pawl_host *host = attempt->host;
    const pawl_ext_args *reader = (const pawl_ext_args *)host->get_extension(host, PAWL_EXT_ARGS);
    const pawl_ext_thread_check *threads =
        (const pawl_ext_thread_check *)host->get_extension(host, PAWL_EXT_THREAD_CHECK);
    const pawl_ext_config *config = (const pawl_ext_config *)host->get_extension(host, PAWL_EXT_CONFIG);
    pawl_str name = PAWL_NO_STR;
    pawl_failure failure = {sizeof failure, PAWL_RETRY_BY_POLICY, {NULL, 0}, {NULL, 0}, {NULL, 0}, 0};
    (void)user;
    if (reader == NULL || threads == NULL || config == NULL || !PAWL_HOST_HAS(host, snooze)) return PAWL_E_UNSUPPORTED;
    if (threads->which_thread() != PAWL_THREAD_WORKER) return PAWL_E_INTERNAL;
    if (reader->get_str(attempt, "name", &name) == PAWL_E_INVALID_INPUT) return PAWL_E_INVALID_INPUT;
    if (host->is_cancelled(attempt) || host->cancel_fd(attempt) < 0) return PAWL_E_CANCELLED;
    if (host->deadline_ns(attempt) < host->now_ns() || host->attempt_number(attempt) == 0) return PAWL_E_TIMEOUT;
    host->set_stage(attempt, PAWL_STR("Greeting"));
    host->set_total(attempt, PAWL_TOTAL_UNKNOWN, PAWL_STR("words"));
    host->set_progress(attempt, 0, 1, PAWL_NO_STR);
    host->set_message(attempt, host->job_name(attempt));
    host->advance(attempt, 1);
    host->count(attempt, PAWL_STR("greetings"), 1);
    host->log(attempt, PAWL_LOG_INFO, host->run_id(attempt), PAWL_STR("{}"));
    if (args.len == 0) return host->fail(attempt, &failure);
    return host->result_json(attempt, PAWL_STR("{\"greeting\":\"hello\"}"));
}

static const pawl_limits limits = {
    .struct_size = sizeof(pawl_limits), .attempts = 3, .wall_ms = 60000, .memory_bytes = UINT64_C(1) << 30};
static const pawl_handler handlers[] = {
    {.struct_size = sizeof(pawl_handler), .name = "use.c", .description = "Uses all names.", .limits = &limits,
     .run = run}};
PAWL_PLUGIN("use-c", "1.0.0", handlers)
