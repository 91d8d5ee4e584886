/* asks not to be forked */
#include "fixture.h"
FIXTURE_DESCRIPTOR("no-fork", .flags = PAWL_PF_NO_FORK)
FIXTURE_ENTRY()
