/* note.c - PAWL_NOTE in every standard, in C and C++: one handler, and as many as it takes. */
#include <pawl.h>
#include <pawl_note.h>

#ifdef MANY
PAWL_NOTE("many", "1", "a.1", "a.2", "a.3", "a.4", "a.5", "a.6", "a.7", "a.8", "a.9", "a.10", "a.11", "a.12", "a.13", "a.14", "a.15", "a.16")
#else
PAWL_NOTE("one", "1.0.0", "one.handler")
#endif
