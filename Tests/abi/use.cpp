// use.cpp - the header from C++: a handler as a lambda, the sugar, the entry.
#include <pawl.h>

static const pawl_handler handlers[] = {
    {sizeof(pawl_handler), 0, 0, "use.cpp", "Uses the header from C++.", nullptr, nullptr, nullptr, nullptr,
     [](void *, pawl_attempt *attempt, pawl_bytes) -> int32_t {
         const pawl_host *host = attempt->host;
         host->log(attempt, PAWL_LOG_INFO, PAWL_STR("hello"), PAWL_NO_STR);
         if (!PAWL_HOST_HAS(host, snooze)) return PAWL_E_UNSUPPORTED;
         return host->result_json(attempt, PAWL_STR("{\"greeting\":\"hello\"}"));
     },
     nullptr}};
PAWL_PLUGIN("use-cpp", "1.0.0", handlers)
