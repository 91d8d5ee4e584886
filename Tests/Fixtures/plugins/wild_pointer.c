/* has a name that points nowhere */
#include "fixture.h"
FIXTURE_DESCRIPTOR("x", .name = (const char *)16)
FIXTURE_ENTRY()
