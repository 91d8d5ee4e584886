/* has two handlers of one name */
#include "fixture.h"
static const pawl_handler handlers[] = {FIXTURE_HANDLER("fixture.run"), FIXTURE_HANDLER("fixture.run")};
PAWL_PLUGIN("duplicate-names", "1.0.0", handlers)
