/* has a handler whose schema is no JSON: a comma is missing */
#include "fixture.h"
static const pawl_handler handlers[] = {
    {.struct_size = sizeof(pawl_handler), .name = "fixture.run", .args_schema = "{\n\"type\": \"object\"\n \"properties\": {}}",
     .run = fixture_run}};
PAWL_PLUGIN("bad-schema", "1.0.0", handlers)
