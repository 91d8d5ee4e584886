/* is told of its cancellation by a call, and waits for nothing else */
#include "fixture.h"
#include <string.h>
#include <unistd.h>
static int channel[2];
static void on_cancelled(pawl_attempt *attempt) {
    char told = attempt->host->is_cancelled(attempt) ? 'y' : 'n';
    if (write(channel[1], &told, 1) < 0) return;
}
static int32_t make_channel(void) { return pipe(channel) == 0 ? PAWL_OK : PAWL_E_LIMIT; }
static const void *extension(const char *id) {
    static const pawl_ext_cancel cancel = {sizeof cancel, 0, on_cancelled};
    return strcmp(id, PAWL_EXT_CANCEL) == 0 ? &cancel : NULL;
}
static int32_t wait_for_call(void *user, pawl_attempt *attempt, pawl_bytes args) {
    (void)user, (void)args;
    char told = 0;
    attempt->host->log(attempt, PAWL_LOG_INFO, PAWL_STR("waiting"), PAWL_NO_STR);
    if (read(channel[0], &told, 1) != 1 || told != 'y') return PAWL_E_INTERNAL;
    return attempt->host->result_json(attempt, PAWL_STR("\"told\""));
}
static const pawl_handler waiting[] = {{.struct_size = sizeof(pawl_handler), .name = "fixture.wait",
                                        .run = wait_for_call}};
FIXTURE_DESCRIPTOR("cancel-call", .handlers = waiting, .child_start = make_channel, .get_extension = extension)
FIXTURE_ENTRY((void)fixture_run;)
