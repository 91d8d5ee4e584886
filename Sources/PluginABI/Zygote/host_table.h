/* host_table.h - the table that plugins call, one for zygote and children, at one address. */
#ifndef PAWL_HOST_TABLE_H
#define PAWL_HOST_TABLE_H

#include "zygote.h"

extern const pawl_host host_table;

/* What log() with a NULL attempt does: set by the zygote (a NOTE), by the child (a line of its log). */
typedef void host_table_sink(int32_t level, pawl_str message);
void host_table_set_sink(host_table_sink *sink);
/* The last message of log() with a NULL attempt, terminated; empty if there was none. */
const char *host_table_last_words(void);

/* The text for extension pawl.config/1; borrowed for ever. */
void host_table_set_config(const char *text, size_t length);

#endif
