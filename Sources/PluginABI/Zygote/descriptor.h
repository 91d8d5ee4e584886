/* descriptor.h - checks what pawl_plugin_entry returned, and tells it as JSON. */
#ifndef PAWL_DESCRIPTOR_H
#define PAWL_DESCRIPTOR_H

#include "elf_image.h"
#include "load.h"

#define DESCRIPTOR_FAULT_MAX 1024

/* Copies and checks *descriptor and its handlers into *loaded, and writes the manifest. Returns 0, or a pawl_refusal
 * with a sentence in `fault`. Pointers that lead nowhere are found out, not followed. */
uint32_t descriptor_check(const pawl_plugin *descriptor, const elf_image *image, loaded_plugin *loaded,
                          char fault[DESCRIPTOR_FAULT_MAX]);

#endif
