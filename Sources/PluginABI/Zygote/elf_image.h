/* elf_image.h - looks at a shared object without mapping it: the loader answers a truncated one with SIGBUS. */
#ifndef PAWL_ELF_IMAGE_H
#define PAWL_ELF_IMAGE_H

#include "json.h"
#include "zygote.h"

typedef struct elf_image {
    char build_id[129]; /* hex; empty: none */
    text needed;        /* JSON array of DT_NEEDED */
} elf_image;

/* Checks the file behind `fd`: an ELF shared object for this machine whose segments and tables lie inside its `size`
 * bytes. Returns NULL and fills *image, or a sentence for people (static, or in *image's own memory). */
const char *elf_check(int fd, uint64_t size, elf_image *image);

#endif
