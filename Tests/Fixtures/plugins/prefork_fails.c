/* fails in prefork, and does not say why */
#include "fixture.h"
static int32_t refuse(void) { return PAWL_E_INTERNAL; }
FIXTURE_DESCRIPTOR("prefork-fails", .prefork = refuse)
FIXTURE_ENTRY()
