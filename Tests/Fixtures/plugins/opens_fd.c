/* opens a descriptor while it loads */
#include "fixture.h"
#include <fcntl.h>
FIXTURE_DESCRIPTOR("opens-fd", .flags = 0)
FIXTURE_ENTRY(if (open("/dev/null", O_RDONLY) < 0) return NULL;)
