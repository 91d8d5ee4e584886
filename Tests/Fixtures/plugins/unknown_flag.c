/* sets a flag that the host must understand and does not */
#include "fixture.h"
FIXTURE_DESCRIPTOR("unknown-flag", .flags = UINT64_C(1) << 31)
FIXTURE_ENTRY()
