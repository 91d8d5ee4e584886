/* elf.c - the zygote's look at a plugin's file before anything is mapped. */
#include "fuzz.h"

#include <sys/mman.h>

#include "elf_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    static int fd = -1;
    if (fd < 0) fd = memfd_create("elf", MFD_CLOEXEC);
    must(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, bytes, length, 0) == (ssize_t)length, "a file");
    elf_image image;
    memset(&image, 0, sizeof image);
    const char *fault = elf_check(fd, length, &image);
    must(fault == NULL || strlen(fault) < 1024, "words for people");
    must(strlen(image.build_id) < sizeof image.build_id, "a build id that ends");
    if (fault == NULL && image.needed.length > 0)
        must(json_check(image.needed.bytes, image.needed.length) == JSON_ARRAY, "a list of libraries");
    free(image.needed.bytes);
    return 0;
}
