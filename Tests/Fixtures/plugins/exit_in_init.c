/* ends its process in init */
#include "fixture.h"
#include <unistd.h>
static int32_t leave(const pawl_host *host) {
    (void)host;
    _exit(3);
}
FIXTURE_DESCRIPTOR("exit-in-init", .init = leave)
FIXTURE_ENTRY()
