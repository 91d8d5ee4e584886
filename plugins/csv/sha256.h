/* sha256.h - SHA-256 (FIPS 180-4), so that this plugin is built with the header and cc alone. */
#ifndef CSV_SHA256_H
#define CSV_SHA256_H

#include <stddef.h>
#include <stdint.h>

typedef struct sha256 {
    uint32_t state[8];
    uint64_t length; /* bytes so far */
    unsigned char block[64];
} sha256;

void sha256_init(sha256 *s);
void sha256_update(sha256 *s, const void *bytes, size_t length);
/* The digest as 64 hex digits and a zero byte. The state is used up. */
void sha256_finish(sha256 *s, char hex[65]);

#endif
