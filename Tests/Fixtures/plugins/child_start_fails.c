/* fails at the start of each child */
#include "fixture.h"
static int32_t refuse(void) { return PAWL_E_TIMEOUT; }
FIXTURE_DESCRIPTOR("child-start-fails", .child_start = refuse)
FIXTURE_ENTRY()
