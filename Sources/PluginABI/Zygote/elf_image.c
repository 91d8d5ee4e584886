/* elf_image.c - reads ELF headers by pread, trusting no number in them. */
#include "elf_image.h"

#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if UINTPTR_MAX == UINT64_MAX
#define NATIVE_CLASS ELFCLASS64
#else
#define NATIVE_CLASS ELFCLASS32
#endif

#if defined(__x86_64__)
#define NATIVE_MACHINE EM_X86_64
#define NATIVE_MACHINE_NAME "x86-64"
#elif defined(__aarch64__)
#define NATIVE_MACHINE EM_AARCH64
#define NATIVE_MACHINE_NAME "aarch64"
#elif defined(__riscv)
#define NATIVE_MACHINE EM_RISCV
#define NATIVE_MACHINE_NAME "riscv"
#else
#error "name this machine's EM_ constant"
#endif

#define NEEDED_MAX 256
#define TABLE_MAX (1u << 20) /* bytes of program headers, dynamic section or notes that are looked at */

static char sentence[192];

static const char *truncated(const char *what, uint64_t end, uint64_t size) {
    snprintf(sentence, sizeof sentence, "truncated: its %s ends at byte %llu, but the file has %llu", what,
             (unsigned long long)end, (unsigned long long)size);
    return sentence;
}

/* Whether [offset, offset + length) lies inside `size` bytes. */
static bool inside(uint64_t offset, uint64_t length, uint64_t size) {
    return offset <= size && length <= size - offset;
}

static bool read_at(int fd, void *to, size_t length, uint64_t offset) {
    return pread(fd, to, length, (off_t)offset) == (ssize_t)length;
}

/* Reads a part of the file into fresh memory; NULL where it is too large or not there. */
static void *read_part(int fd, uint64_t offset, uint64_t length) {
    if (length == 0 || length > TABLE_MAX) return NULL;
    void *part = malloc((size_t)length);
    if (part != NULL && !read_at(fd, part, (size_t)length, offset)) {
        free(part);
        return NULL;
    }
    return part;
}

static const char *machine_name(unsigned machine) {
    switch (machine) {
    case EM_386: return "i386";
    case EM_X86_64: return "x86-64";
    case EM_ARM: return "arm";
    case EM_AARCH64: return "aarch64";
    case EM_RISCV: return "riscv";
    case EM_PPC64: return "ppc64";
    case EM_S390: return "s390";
    default: return NULL;
    }
}

static void take_build_id(int fd, const ElfW(Phdr) *note, elf_image *image) {
    char *bytes = read_part(fd, note->p_offset, note->p_filesz);
    if (bytes == NULL) return;
    size_t size = (size_t)note->p_filesz, at = 0;
    while (size - at >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) head;
        memcpy(&head, bytes + at, sizeof head);
        at += sizeof head;
        size_t name = ((size_t)head.n_namesz + 3) & ~(size_t)3, value = ((size_t)head.n_descsz + 3) & ~(size_t)3;
        if (name > size - at || value > size - at - name) break;
        if (head.n_type == NT_GNU_BUILD_ID && head.n_namesz == 4 && memcmp(bytes + at, "GNU", 4) == 0) {
            size_t length = head.n_descsz < 64 ? head.n_descsz : 64;
            for (size_t i = 0; i < length; i++)
                snprintf(image->build_id + 2 * i, 3, "%02x", (unsigned char)bytes[at + name + i]);
            break;
        }
        at += name + value;
    }
    free(bytes);
}

/* The file offset of an address of the image, or UINT64_MAX. */
static uint64_t offset_of(const ElfW(Phdr) *segments, size_t count, uint64_t address) {
    for (size_t i = 0; i < count; i++) {
        const ElfW(Phdr) *s = &segments[i];
        if (s->p_type == PT_LOAD && address >= s->p_vaddr && address - s->p_vaddr < s->p_filesz)
            return s->p_offset + (address - s->p_vaddr);
    }
    return UINT64_MAX;
}

static void take_needed(int fd, uint64_t size, const ElfW(Phdr) *segments, size_t count, const ElfW(Phdr) *dynamic,
                        elf_image *image) {
    ElfW(Dyn) *entries = read_part(fd, dynamic->p_offset, dynamic->p_filesz);
    if (entries == NULL) return;
    size_t entry_count = (size_t)dynamic->p_filesz / sizeof *entries;
    uint64_t strings = UINT64_MAX, strings_size = 0;
    for (size_t i = 0; i < entry_count; i++) {
        if (entries[i].d_tag == DT_STRTAB) strings = offset_of(segments, count, entries[i].d_un.d_ptr);
        if (entries[i].d_tag == DT_STRSZ) strings_size = entries[i].d_un.d_val;
    }
    unsigned found = 0;
    for (size_t i = 0; i < entry_count && strings != UINT64_MAX && found < NEEDED_MAX; i++) {
        if (entries[i].d_tag == DT_NULL) break;
        if (entries[i].d_tag != DT_NEEDED || entries[i].d_un.d_val >= strings_size) continue;
        char name[256];
        uint64_t at = strings + entries[i].d_un.d_val;
        if (!inside(at, 1, size)) continue;
        ssize_t length = pread(fd, name, sizeof name, (off_t)at);
        if (length <= 0) continue;
        text_add(&image->needed, ",", found++ > 0 ? 1 : 0);
        text_add_json(&image->needed, name, strnlen(name, (size_t)length));
    }
    free(entries);
}

static const char *check_segments(int fd, uint64_t size, const ElfW(Phdr) *segments, size_t count, elf_image *image) {
    bool loadable = false;
    const ElfW(Phdr) *dynamic = NULL;
    for (size_t i = 0; i < count; i++) {
        const ElfW(Phdr) *s = &segments[i];
        if (s->p_type == PT_NULL || s->p_filesz == 0) continue;
        if (!inside(s->p_offset, s->p_filesz, size)) return truncated("segment", s->p_offset + s->p_filesz, size);
        if (s->p_type == PT_LOAD) loadable = true;
        if (s->p_type == PT_DYNAMIC) dynamic = s;
        if (s->p_type == PT_NOTE && image->build_id[0] == 0) take_build_id(fd, s, image);
    }
    if (!loadable || dynamic == NULL) return "no shared object: it has nothing to load, or no dynamic section";
    take_needed(fd, size, segments, count, dynamic, image);
    return NULL;
}

const char *elf_check(int fd, uint64_t size, elf_image *image) {
    ElfW(Ehdr) head;
    memset(image, 0, sizeof *image);
    if (size < SELFMAG) return size == 0 ? "empty file" : "no ELF file: too short";
    unsigned char magic[EI_NIDENT] = {0};
    if (pread(fd, magic, sizeof magic, 0) < SELFMAG || memcmp(magic, ELFMAG, SELFMAG) != 0)
        return "no ELF file: it does not begin with \\x7fELF";
    if (size < sizeof head || !read_at(fd, &head, sizeof head, 0)) return truncated("ELF header", sizeof head, size);
    if (head.e_ident[EI_CLASS] != NATIVE_CLASS) return "for another machine: wrong word size (ELF class)";
    if (head.e_ident[EI_DATA] != ELFDATA2LSB) return "for another machine: big-endian";
    if (head.e_machine != NATIVE_MACHINE) {
        const char *name = machine_name(head.e_machine);
        char number[32];
        snprintf(number, sizeof number, "ELF machine %u", head.e_machine);
        snprintf(sentence, sizeof sentence, "for another machine: %s, this one is " NATIVE_MACHINE_NAME,
                 name != NULL ? name : number);
        return sentence;
    }
    if (head.e_type != ET_DYN) return "no shared object (ELF type is not DYN): link it with -shared";
    if (head.e_phentsize != sizeof(ElfW(Phdr)) || head.e_phnum == 0) return "malformed ELF: no program headers";
    uint64_t table = (uint64_t)head.e_phnum * sizeof(ElfW(Phdr));
    if (!inside(head.e_phoff, table, size)) return truncated("program header table", head.e_phoff + table, size);
    ElfW(Phdr) *segments = read_part(fd, head.e_phoff, table);
    if (segments == NULL) return "malformed ELF: program headers cannot be read";
    const char *fault = check_segments(fd, size, segments, head.e_phnum, image);
    free(segments);
    /* Section headers stand at the end of the file and are not needed for loading: their loss shows a cut file. */
    uint64_t sections = (uint64_t)head.e_shnum * head.e_shentsize;
    if (fault == NULL && head.e_shoff != 0 && !inside(head.e_shoff, sections, size))
        fault = truncated("section header table", head.e_shoff + sections, size);
    return fault;
}
