/* calls.h - names of system calls. */
#ifndef PAWL_INSPECT_CALLS_H
#define PAWL_INSPECT_CALLS_H

/* NULL: not one of those that processes are found in. */
const char *call_name(int number);

#endif
