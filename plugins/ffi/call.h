/* call.h - one attempt: args by name, the call, the result. */
#ifndef PAWL_FFI_CALL_H
#define PAWL_FFI_CALL_H

#include <pawl.h>

/* The run() of every handler; user is its function. [worker] */
int32_t call_function(void *user, pawl_attempt *attempt, pawl_bytes args);

#endif
