/* relies on pthread_atfork: its result tells whether the handler ran in the child */
#include "fixture.h"
#include <pthread.h>
static int forked;
static void in_child(void) { forked = 1; }
static int32_t tell(void *user, pawl_attempt *attempt, pawl_bytes args) {
    (void)user, (void)args;
    return attempt->host->result_json(attempt, forked ? PAWL_STR("\"atfork ran\"")
                                      : PAWL_STR("\"atfork did not run\""));
}
static const pawl_handler with_atfork[] = {{.struct_size = sizeof(pawl_handler), .name = "fixture.run", .run = tell}};
FIXTURE_DESCRIPTOR("atfork", .flags = PAWL_PF_NEEDS_ATFORK, .handlers = with_atfork)
FIXTURE_ENTRY((void)fixture_run; pthread_atfork(NULL, NULL, in_child);)
