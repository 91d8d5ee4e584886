/* has no name */
#include "fixture.h"
FIXTURE_DESCRIPTOR("x", .name = NULL)
FIXTURE_ENTRY()
