/* census.h - descriptors and threads that a process did not have before: cheap questions each time, and a look at each only where a
 * number has changed. What language runtimes keep for good is not counted. One thread at a time. */
#ifndef PAWL_CENSUS_H
#define PAWL_CENSUS_H

#include "zygote.h"

/* Once, before the others; opens files that are counted with the rest. */
void census_open(void);
/* What is there now is not new. */
void census_remember(void);

/* Since the last call, or census_remember. Waits up to 20 ms for threads that are about to end. */
uint32_t census_new_threads(void);
uint32_t census_new_descriptors(void);

#endif
