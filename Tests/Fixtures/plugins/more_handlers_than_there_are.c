/* claims 1000 handlers and has one */
#include "fixture.h"
FIXTURE_DESCRIPTOR("more", .handler_count = 1000)
FIXTURE_ENTRY()
