/* position.h - where the handler was last heard of, by its own SDK: a task of Swift that waits is on no thread, so no stack
 * shows it. */
#ifndef PAWL_POSITION_H
#define PAWL_POSITION_H

#include "load.h"

/* In the child, on the main thread, before the handler is called. Without the plugin's extension nothing is ever sent. */
void position_open(const loaded_plugin *plugin);
/* Sends POSITION if there is one, and room for it. Never waits. */
void position_tell(void);

#endif
