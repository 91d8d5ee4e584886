/* claims 2^31 handlers */
#include "fixture.h"
FIXTURE_DESCRIPTOR("many", .handler_count = UINT32_C(1) << 31)
FIXTURE_ENTRY()
