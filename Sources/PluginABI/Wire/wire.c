/* wire.c - makes the header a C target; its static assertions are checked here for every build. */
#include "pawl_wire.h"
