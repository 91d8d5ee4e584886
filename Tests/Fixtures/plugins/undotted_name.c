/* has a handler whose name has no dot */
#include "fixture.h"
static const pawl_handler handlers[] = {FIXTURE_HANDLER("undotted")};
PAWL_PLUGIN("undotted", "1.0.0", handlers)
