/* has a handler whose schema is no JSON */
#include "fixture.h"
static const pawl_handler handlers[] = {
    {.struct_size = sizeof(pawl_handler), .name = "fixture.run", .args_schema = "{\"type\":", .run = fixture_run}};
PAWL_PLUGIN("bad-schema", "1.0.0", handlers)
