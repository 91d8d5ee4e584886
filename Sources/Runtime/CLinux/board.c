#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

/* The other side may do with the words what it likes, but it cannot take the memory away: a file that shrinks would end us
 * with SIGBUS. */
int linux_board(size_t bytes, void **memory) {
    int fd = memfd_create("pawl-board", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) {
        return -errno;
    }
    if (ftruncate(fd, (off_t)bytes) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0) {
        void *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (page != MAP_FAILED) {
            *memory = page;
            return fd;
        }
    }
    int error = errno;
    close(fd);
    return -error;
}

void linux_board_remove(void *memory, size_t bytes) { munmap(memory, bytes); }

void linux_board_set(void *memory, size_t word, uint32_t value) { atomic_store((_Atomic uint32_t *)memory + word, value); }

bool linux_board_change(void *memory, size_t word, uint32_t from, uint32_t to) {
    return atomic_compare_exchange_strong((_Atomic uint32_t *)memory + word, &from, to);
}
