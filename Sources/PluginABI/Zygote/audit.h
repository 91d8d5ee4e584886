/* audit.h - what a plugin did to the zygote by loading. */
#ifndef PAWL_AUDIT_H
#define PAWL_AUDIT_H

#include "zygote.h"

/* Remembers how many descriptors are open before the plugin comes. */
void audit_remember(void);
/* How many more are open now. */
uint32_t audit_open_fds(void);
/* Resident memory of this process. */
uint64_t audit_rss_bytes(void);

#endif
