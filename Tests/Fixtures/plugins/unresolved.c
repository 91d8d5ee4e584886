/* needs a function that nobody has */
#include "fixture.h"
extern int nobody_has_this_function(void);
FIXTURE_DESCRIPTOR("unresolved", .flags = 0)
FIXTURE_ENTRY(if (nobody_has_this_function()) return NULL;)
