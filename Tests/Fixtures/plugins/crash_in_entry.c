/* crashes while it loads */
#include "fixture.h"
static volatile uintptr_t nowhere = 42;
FIXTURE_DESCRIPTOR("crash-in-entry", .flags = 0)
FIXTURE_ENTRY(*(volatile int *)nowhere = 1;)
