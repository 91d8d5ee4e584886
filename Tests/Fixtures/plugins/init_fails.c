/* fails in init, and says why */
#include "fixture.h"
static int32_t refuse(const pawl_host *host) {
    host->log(NULL, PAWL_LOG_ERROR, PAWL_STR("the table of prices is missing"), PAWL_NO_STR);
    return PAWL_E_NOT_FOUND;
}
FIXTURE_DESCRIPTOR("init-fails", .init = refuse)
FIXTURE_ENTRY()
