/* was built for another major of the ABI */
#include "fixture.h"
FIXTURE_DESCRIPTOR("wrong-major", .abi_major = 99)
FIXTURE_ENTRY()
