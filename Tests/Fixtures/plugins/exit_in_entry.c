/* ends its process while it loads, as if all were well */
#include "fixture.h"
#include <stdlib.h>
FIXTURE_DESCRIPTOR("exit-in-entry", .flags = 0)
FIXTURE_ENTRY(if (abi_major == PAWL_ABI_MAJOR) exit(0);)
