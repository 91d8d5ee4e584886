/* has a name with letters that are not allowed */
#include "fixture.h"
FIXTURE_DESCRIPTOR("Bad Name", .flags = 0)
FIXTURE_ENTRY()
