/* everything.c - a plugin that fills every member and calls every function of the first release. Never edited. */
#include <pawl.h>

static int32_t inits, preforks, child_starts, cancellations;

static int32_t init(const pawl_host *host) {
    inits++;
    return host->abi_major == PAWL_ABI_MAJOR ? PAWL_OK : PAWL_E_UNSUPPORTED;
}
static int32_t prefork(void) {
    preforks++;
    return PAWL_OK;
}
static int32_t child_start(void) {
    child_starts++;
    return PAWL_OK;
}
static void cancelled(pawl_attempt *attempt) {
    (void)attempt;
    cancellations++;
}
static const pawl_ext_cancel cancel = {sizeof cancel, 0, cancelled};
static const void *get_extension(const char *id) {
    const char *wanted = PAWL_EXT_CANCEL;
    while (*id != '\0' && *id == *wanted) id++, wanted++;
    return *id == *wanted ? &cancel : NULL;
}

static int32_t run(void *user, pawl_attempt *attempt, pawl_bytes json) {
    const pawl_host *host = attempt->host;
    const pawl_ext_args *args = (const pawl_ext_args *)host->get_extension(host, PAWL_EXT_ARGS);
    const pawl_ext_thread_check *threads = (const pawl_ext_thread_check *)host->get_extension(host, PAWL_EXT_THREAD_CHECK);
    const pawl_ext_config *config = (const pawl_ext_config *)host->get_extension(host, PAWL_EXT_CONFIG);
    pawl_str mode = PAWL_STR("result"), text = PAWL_NO_STR, names[1];
    int64_t number = 0;
    double real = 0;
    int32_t truth = 0;
    size_t count = 0;
    const char *const known[] = {"mode", "number", "real", "truth", "list"};
    (void)json;
    if (*(int32_t *)user != 7 || inits != 1 || preforks != 1 || child_starts != 1) return PAWL_E_INTERNAL;
    if (args == NULL || threads == NULL || config == NULL) return PAWL_E_UNSUPPORTED;
    if (args->struct_size < sizeof *args || host->get_extension(host, "pawl.never/1") != NULL) return PAWL_E_INTERNAL;
    if (threads->which_thread() != PAWL_THREAD_WORKER || config->text().len != 0) return PAWL_E_INTERNAL;
    if (args->only(attempt, known, sizeof known / sizeof known[0]) != PAWL_OK) return PAWL_E_INVALID_INPUT;
    if (args->get_str(attempt, "mode", &mode) == PAWL_E_INVALID_INPUT) return PAWL_E_INVALID_INPUT;
    if (args->get_int(attempt, "number", -5, 5, &number) == PAWL_E_INVALID_INPUT) return PAWL_E_INVALID_INPUT;
    if (args->get_double(attempt, "real", &real) == PAWL_E_INVALID_INPUT) return PAWL_E_INVALID_INPUT;
    if (args->get_bool(attempt, "truth", &truth) == PAWL_E_INVALID_INPUT) return PAWL_E_INVALID_INPUT;
    if (args->get_json(attempt, "list", &text) == PAWL_OK) {
        if (args->array_count(attempt, "list", &count) != PAWL_OK || count != 1) return PAWL_E_INVALID_INPUT;
        if (args->array_str(attempt, "list", 0, &names[0]) != PAWL_OK || names[0].len != 1) return PAWL_E_INVALID_INPUT;
    }
    if (host->run_id(attempt).len != 17 || host->job_name(attempt).len == 0 || host->attempt_number(attempt) != 1)
        return PAWL_E_INTERNAL;
    if (host->deadline_ns(attempt) <= host->now_ns() || host->scratch_dir(attempt).len != 0) return PAWL_E_INTERNAL;
    if (host->traceparent(attempt).len == 0 || host->is_cancelled(attempt) || host->cancel_fd(attempt) < 0)
        return PAWL_E_INTERNAL;
    host->log(attempt, PAWL_LOG_WARNING, PAWL_STR("words"), PAWL_STR("{\"a\":1}"));
    host->set_stage(attempt, PAWL_STR("Stage"));
    host->set_total(attempt, 2, PAWL_STR("things"));
    host->advance(attempt, 1);
    host->set_progress(attempt, 2, PAWL_TOTAL_UNKNOWN, PAWL_NO_STR);
    host->set_message(attempt, PAWL_STR("message"));
    host->count(attempt, PAWL_STR("things"), 2);
    if (mode.ptr[0] == 's') return host->snooze(attempt, INT64_C(4102444800000));
    if (mode.ptr[0] == 'f') {
        pawl_failure failure = {sizeof failure, PAWL_RETRY_YES, PAWL_STR("code"), PAWL_STR("why"), PAWL_STR("[1]"),
                                INT64_C(4102444800000)};
        return host->fail(attempt, &failure);
    }
    if (mode.ptr[0] == 'o') return 1000;
    return host->result_json(attempt, PAWL_STR("{\"done\":true}"));
}

static int32_t reset(void *user) { return *(int32_t *)user == 7 ? PAWL_OK : PAWL_E_INTERNAL; }

static int32_t seven = 7;
static const pawl_limits limits = {sizeof limits, 3, 60000, 30000, UINT64_C(1) << 30, 1 << 20, 1 << 20, 64, 16, 1000, 1000};
static const pawl_handler handlers[] = {
    {sizeof(pawl_handler), 0, 0, "old.everything", "Uses everything.", "{\"type\":\"object\"}",
     "{\"type\":\"object\"}", &limits, &seven, run, reset}};
static const pawl_plugin plugin = {sizeof plugin, PAWL_ABI_MAJOR, PAWL_ABI_MINOR, sizeof(pawl_handler),
                                   PAWL_PF_REUSABLE | UINT64_C(1) << 63, "old-everything", "1.0.0", handlers, 1, 0,
                                   init, prefork, child_start, get_extension};

const pawl_plugin *pawl_plugin_entry(const pawl_host *host, uint32_t abi_major, uint32_t abi_minor, uint32_t host_size) {
    (void)abi_minor;
    return abi_major == PAWL_ABI_MAJOR && host_size >= sizeof(pawl_host) && host->struct_size == host_size ? &plugin : NULL;
}
