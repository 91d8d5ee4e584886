// libuv's own header, for Swift. libuv's functions return 0 or a negated errno (UV_E*), never set errno.
#ifndef PAWL_CLIBUV_SHIM_H
#define PAWL_CLIBUV_SHIM_H

#include <uv.h>

#endif
