/* returns the configuration text that came with it */
#include "fixture.h"
static pawl_str text;
static int32_t tell(void *user, pawl_attempt *attempt, pawl_bytes args) {
    (void)user, (void)args;
    return attempt->host->result_bytes(attempt, (pawl_bytes){text.ptr, text.len}, PAWL_STR("text/plain"));
}
static const pawl_handler with_config[] = {{.struct_size = sizeof(pawl_handler), .name = "fixture.run", .run = tell}};
FIXTURE_DESCRIPTOR("config", .handlers = with_config)
FIXTURE_ENTRY((void)fixture_run; text = ((const pawl_ext_config *)host->get_extension(host, PAWL_EXT_CONFIG))->text();)
