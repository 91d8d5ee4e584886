/* claims a descriptor smaller than that of ABI 1.0 */
#include "fixture.h"
FIXTURE_DESCRIPTOR("small", .struct_size = 40)
FIXTURE_ENTRY()
