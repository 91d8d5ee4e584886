/* has no handlers */
#include "fixture.h"
FIXTURE_DESCRIPTOR("no-handlers", .handler_count = 0)
FIXTURE_ENTRY()
