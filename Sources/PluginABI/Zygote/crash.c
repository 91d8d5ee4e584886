/* crash.c - the handler of fatal signals. Async-signal-safe: system calls, memory of its own, and backtrace(), whose
 * first call (which allocates) was made in the zygote. If unwinding faults in turn, the nested call follows frame
 * pointers. */
#include "crash.h"

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#define STACK_BYTES (64u << 10)
#define OWN_FRAMES 8 /* the handler's and the trampoline's, before the fault's */
#define DEEPER 1u
#define UNWINDING_FAULTED 2u
#define FROM_FILTER 1 /* SYS_SECCOMP, which the C library's headers lack */

static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};

static atomic_int crashing; /* tid of the thread that reports; others wait for the end */
static pawl_crash record;

void crash_preload(void) {
    void *frames[4];
    backtrace(frames, 4);
}

static uint64_t program_counter(const ucontext_t *context) {
#if defined(__x86_64__)
    return (uint64_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return context->uc_mcontext.pc;
#else
    (void)context;
    return 0;
#endif
}

static uint64_t stack_pointer(const ucontext_t *context) {
#if defined(__x86_64__)
    return (uint64_t)context->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
    return context->uc_mcontext.sp;
#else
    (void)context;
    return 0;
#endif
}

static uint64_t frame_register(const ucontext_t *context) {
#if defined(__x86_64__)
    return (uint64_t)context->uc_mcontext.gregs[REG_RBP];
#elif defined(__aarch64__)
    return context->uc_mcontext.regs[29];
#else
    (void)context;
    return 0;
#endif
}

static void read_registers(const ucontext_t *context) {
#if defined(__x86_64__)
    static const int order[] = {REG_RAX, REG_RBX, REG_RCX, REG_RDX, REG_RSI, REG_RDI, REG_RBP, REG_RSP, REG_R8,
                                REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP, REG_EFL};
    record.register_count = sizeof order / sizeof order[0];
    for (uint32_t i = 0; i < record.register_count; i++)
        record.registers[i] = (uint64_t)context->uc_mcontext.gregs[order[i]];
#elif defined(__aarch64__)
    record.register_count = PAWL_CRASH_REGISTERS;
    for (int i = 0; i < 31; i++) record.registers[i] = context->uc_mcontext.regs[i];
    record.registers[31] = context->uc_mcontext.sp;
    record.registers[32] = context->uc_mcontext.pc;
    record.registers[33] = context->uc_mcontext.pstate;
#else
    (void)context;
#endif
}

/* VmSize in bytes: the first number of /proc/self/statm, in pages. */
static uint64_t address_space(void) {
    char bytes[64];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t length = read(fd, bytes, sizeof bytes);
    close(fd);
    uint64_t pages = 0;
    for (ssize_t i = 0; i < length && bytes[i] >= '0' && bytes[i] <= '9'; i++)
        pages = pages * 10 + (uint64_t)(bytes[i] - '0');
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Reads memory of this process that may not be there: the kernel answers EFAULT instead of a fault. */
static bool peek_bytes(uint64_t address, void *bytes, size_t size) {
    struct iovec local = {bytes, size}, remote = {(void *)(uintptr_t)address, size};
    return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == (ssize_t)size;
}

static bool peek(uint64_t address, uint64_t *value, size_t size) {
    *value = 0;
    return peek_bytes(address, value, size);
}

static void add_frame(uint64_t pc) {
    if (record.frame_count < PAWL_CRASH_FRAMES) record.frames[record.frame_count++] = pc;
    else record.overflow |= DEEPER;
}

/* The chain of frame pointers, for where the unwinder does not get through. */
static void walk_frame_pointers(uint64_t frame) {
    uint64_t next, address;
    while (record.frame_count < PAWL_CRASH_FRAMES && frame % sizeof frame == 0 && peek(frame, &next, sizeof next) &&
           peek(frame + sizeof next, &address, sizeof address) && address != 0) {
        add_frame(address);
        if (next <= frame) return; /* stacks grow down: callers are above */
        frame = next;
    }
}

static uint64_t frame_pointer; /* at the crash */

static void unwind(void) {
    void *frames[PAWL_CRASH_FRAMES + OWN_FRAMES];
    uint64_t code, caller;
    add_frame(record.pc);
    if (!peek(record.pc, &code, 1)) {
        /* A call through a bad pointer: no frame yet, the caller's address is on top of the stack (where calls put it
         * there), and the unwinder would read code that is not there. */
#if defined(__x86_64__)
        if (peek(record.sp, &caller, sizeof caller)) add_frame(caller);
#else
        (void)caller;
#endif
        walk_frame_pointers(frame_pointer);
        return;
    }
    int count = backtrace(frames, PAWL_CRASH_FRAMES + OWN_FRAMES), first = 0;
    while (first < count && (uint64_t)(uintptr_t)frames[first] != record.pc) first++;
    for (int i = first + 1; i < count; i++) add_frame((uint64_t)(uintptr_t)frames[i]);
    if (first == count) walk_frame_pointers(frame_pointer); /* it did not get past the signal's own frame */
    else if (count == PAWL_CRASH_FRAMES + OWN_FRAMES) record.overflow |= DEEPER;
}

/* Whether a line of /proc/self/maps is of code from a file: "start-end r-xp offset device inode  /path". */
static bool is_code(const char *line, size_t length) {
    const char *space = memchr(line, ' ', length);
    if (space == NULL || length - (size_t)(space - line) < 6 || space[3] != 'x') return false;
    return memchr(space, '/', length - (size_t)(space - line)) != NULL;
}

#define BUILD_ID_MAX 32
#define NOTES_MAX 1024
#define HEADERS_MAX 64

/* What the mapping of a file's beginning told: its code is mapped behind it. */
static struct {
    char path[256];
    size_t path_length;
    char line[16 + 2 * BUILD_ID_MAX]; /* "build-id HEX\n" */
    size_t line_length;               /* 0: it has none */
} beginning;

/* Finds the note of the GNU build id in `bytes`. */
static void find_build_id(const unsigned char *bytes, size_t length) {
    static const char digits[] = "0123456789abcdef";
    ElfW(Nhdr) note;
    for (size_t at = 0; at + sizeof note <= length;) {
        memcpy(&note, bytes + at, sizeof note);
        at += sizeof note;
        if (note.n_namesz > NOTES_MAX || note.n_descsz > NOTES_MAX) return;
        size_t content = at + (note.n_namesz + 3u) / 4u * 4u, end = content + note.n_descsz;
        if (end > length) return;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && memcmp(bytes + at, "GNU", 4) == 0 &&
            note.n_descsz > 0 && note.n_descsz <= BUILD_ID_MAX) {
            char *to = beginning.line;
            memcpy(to, "build-id ", 9), to += 9;
            for (size_t i = content; i < end; i++) *to++ = digits[bytes[i] >> 4], *to++ = digits[bytes[i] & 15];
            *to++ = '\n';
            beginning.line_length = (size_t)(to - beginning.line);
            return;
        }
        at = content + (note.n_descsz + 3u) / 4u * 4u;
    }
}

/* Reads the build id from the ELF header that is mapped at `base`. The file itself may be another one by now. */
static void read_build_id(uint64_t base) {
    static unsigned char notes[NOTES_MAX];
    ElfW(Ehdr) head;
    ElfW(Phdr) part;
    uint64_t bias = base;
    if (!peek_bytes(base, &head, sizeof head) || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
        head.e_phentsize != sizeof part || head.e_phnum > HEADERS_MAX)
        return;
    for (int pass = 0; pass < 2; pass++)
        for (unsigned i = 0; i < head.e_phnum; i++) {
            if (!peek_bytes(base + head.e_phoff + i * sizeof part, &part, sizeof part)) return;
            if (pass == 0 && part.p_type == PT_LOAD && part.p_offset == 0) bias = base - part.p_vaddr;
            if (pass == 0 || part.p_type != PT_NOTE || beginning.line_length > 0) continue;
            size_t length = part.p_filesz < sizeof notes ? part.p_filesz : sizeof notes;
            if (peek_bytes(bias + part.p_vaddr, notes, length)) find_build_id(notes, length);
        }
}

/* Remembers the beginning of a file: "start-end r..p 00000000 device inode  /path\n". */
static void note_beginning(const char *line, size_t length) {
    const char *space = memchr(line, ' ', length), *path = memchr(line, '/', length);
    uint64_t base = 0;
    if (space == NULL || path == NULL || length - (size_t)(space - line) < 15) return;
    if (space[1] != 'r' || memcmp(space + 5, " 00000000 ", 10) != 0) return;
    beginning.line_length = 0;
    beginning.path_length = length - (size_t)(path - line);
    if (beginning.path_length > sizeof beginning.path) beginning.path_length = 0;
    memcpy(beginning.path, path, beginning.path_length);
    for (const char *digit = line; *digit != '-' && digit < space; digit++)
        base = base << 4 | (uint64_t)(*digit <= '9' ? *digit - '0' : *digit - 'a' + 10);
    read_build_id(base);
}

/* Whether the line is of the file whose beginning was seen last. */
static bool is_of_beginning(const char *line, size_t length) {
    return beginning.line_length > 0 && beginning.path_length > 0 && beginning.path_length < length &&
        memcmp(line + length - beginning.path_length, beginning.path, beginning.path_length) == 0;
}

/* Puts a line into the pipe, if it has room; false: it is full. */
static bool put_line(const char *line, size_t length, size_t *written) {
    *written += length;
    return *written <= PAWL_CRASH_MAPS_MAX && write(PAWL_CHILD_FD_CRASH, line, length) == (ssize_t)length;
}

/* Where which code was mapped, so that the frames can be named when this process is gone. Lines that are longer than the buffer
 * are left out. */
static void write_mappings(void) {
    static char bytes[8192];
    size_t held = 0, written = 0;
    bool has_room = true;
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    for (ssize_t got; has_room && (got = read(fd, bytes + held, sizeof bytes - held)) > 0;) {
        held += (size_t)got;
        size_t used = 0;
        for (char *end; has_room && (end = memchr(bytes + used, '\n', held - used)) != NULL;) {
            const char *line = bytes + used;
            size_t length = (size_t)(end - line) + 1;
            note_beginning(line, length);
            if (is_code(line, length)) {
                if (is_of_beginning(line, length)) has_room = put_line(beginning.line, beginning.line_length, &written);
                has_room = has_room && put_line(line, length, &written);
            }
            used += length;
        }
        if (used == 0 && held == sizeof bytes) used = held;
        memmove(bytes, bytes + used, held - used);
        held -= used;
    }
    close(fd);
}

/* The signal's default action, now, so that the wait status tells the truth. */
static void take_its_course(int signal) {
    struct sigaction standard;
    memset(&standard, 0, sizeof standard);
    standard.sa_handler = SIG_DFL;
    sigaction(signal, &standard, NULL);
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, signal);
    sigprocmask(SIG_UNBLOCK, &only, NULL);
    syscall(SYS_tgkill, getpid(), gettid(), signal);
}

static void on_fatal(int signal, siginfo_t *info, void *context) {
    int error = errno, self = gettid(), nobody = 0;
    if (!atomic_compare_exchange_strong(&crashing, &nobody, self) && nobody != self)
        for (;;) pause();
    if (nobody == self) { /* nested: the unwinder faulted */
        record.overflow |= UNWINDING_FAULTED;
        record.frame_count = 1;
        walk_frame_pointers(frame_pointer);
    } else {
        record.magic = PAWL_CRASH_MAGIC;
        record.version = PAWL_CRASH_VERSION;
        record.signal = signal;
        record.error = error;
        record.code = info->si_code;
        record.thread = self;
        /* Only the kernel's own signals have one: where another process sent it, its pid stands there. */
        record.address = info->si_code > 0 ? (uint64_t)(uintptr_t)info->si_addr : 0;
        /* Stopped by the system call filter: which call it was says more. */
        if (signal == SIGSYS && info->si_code == FROM_FILTER) record.address = (uint64_t)(unsigned)info->si_syscall;
        record.pc = program_counter(context);
        record.sp = stack_pointer(context);
        frame_pointer = frame_register(context);
        read_registers(context);
        prctl(PR_GET_NAME, record.thread_name, 0, 0, 0);
        record.address_space_bytes = address_space();
        unwind();
    }
    /* One write below PIPE_BUF is whole or not at all; a closed or full pipe is no reason to stay alive. */
    fcntl(PAWL_CHILD_FD_CRASH, F_SETFL, O_NONBLOCK);
    if (write(PAWL_CHILD_FD_CRASH, &record, sizeof record) == (ssize_t)sizeof record) write_mappings();
    take_its_course(record.signal);
}

void crash_install(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_fatal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++) sigaction(fatal[i], &action, NULL);
}

void crash_thread_stack(void) {
    stack_t stack = {.ss_size = STACK_BYTES};
    stack.ss_sp = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack.ss_sp == MAP_FAILED || sigaltstack(&stack, NULL) != 0) complain("pawl: no alternate signal stack");
}
