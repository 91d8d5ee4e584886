/* has a handler that cannot be run */
#include "fixture.h"
static const pawl_handler handlers[] = {{.struct_size = sizeof(pawl_handler), .name = "fixture.run"}};
PAWL_PLUGIN("null-run", "1.0.0", handlers)
