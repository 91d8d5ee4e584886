/* base64.h - RFC 4648 section 4. */
#ifndef PAWL_FFI_BASE64_H
#define PAWL_FFI_BASE64_H

#include "text.h"

typedef struct span {
    const char *ptr; /* NULL: not base64 */
    size_t len;
} span;

/* Padding may be absent; white space is not allowed. The bytes are in memory of the arena. */
span base64_decode(arena *memory, const char *bytes, size_t len);

/* Adds them, padded. */
void base64_encode(text *out, const unsigned char *bytes, size_t len);

#endif
