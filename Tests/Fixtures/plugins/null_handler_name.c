/* has a handler without a name */
#include "fixture.h"
static const pawl_handler handlers[] = {FIXTURE_HANDLER(NULL)};
PAWL_PLUGIN("null-handler-name", "1.0.0", handlers)
