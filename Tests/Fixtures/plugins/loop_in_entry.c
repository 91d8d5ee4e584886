/* never comes back while it loads */
#include "fixture.h"
static volatile int for_ever = 1;
FIXTURE_DESCRIPTOR("loop-in-entry", .flags = 0)
FIXTURE_ENTRY(while (for_ever) {})
