// asks for more memory than it may have, and takes the refusal in all the ways that programs do
#include <pawl.h>
#include <cstdlib>
#include <new>
#include <unistd.h>
#include <vector>

// As memset() would, if the compiler did not see that nobody looks.
static void touch(void *block, size_t size) {
    for (size_t at = 0; at < size; at += 4096) static_cast<volatile char *>(block)[at] = 1;
}

// Until malloc() gives no more, in pieces; touched, as programs do with what they got.
static void fill() {
    const size_t piece = 1 << 20;
    for (void *block; (block = std::malloc(piece)) != nullptr;) touch(block, piece);
}

static int32_t exits(void *, pawl_attempt *, pawl_bytes) {
    fill();
    std::exit(1);
}

static int32_t leaves(void *, pawl_attempt *, pawl_bytes) {
    fill();
    _exit(3);
}

// All at once: what it has is small, what it wants is not.
static int32_t large(void *, pawl_attempt *, pawl_bytes) {
    if (std::malloc(static_cast<size_t>(1) << 36) == nullptr) std::abort();
    return PAWL_OK;
}

static int32_t looks_away(void *, pawl_attempt *, pawl_bytes) {
    volatile char *block = static_cast<volatile char *>(std::malloc(static_cast<size_t>(1) << 36));
    block[0] = 1;
    return PAWL_OK;
}

static int32_t throws(void *, pawl_attempt *, pawl_bytes) {
    std::vector<std::vector<char>> kept;
    for (;;) kept.emplace_back(1 << 20, 'x');
}

// Four children of 120 MiB each, and a parent that waits.
static int32_t spreads(void *, pawl_attempt *, pawl_bytes) {
    for (int child = 0; child < 4; child++) {
        if (fork() != 0) continue;
        const size_t size = static_cast<size_t>(120) << 20;
        void *block = std::malloc(size);
        if (block == nullptr) _exit(1);
        touch(block, size);
        for (;;) pause();
    }
    for (;;) pause();
}

static int32_t says_so(void *, pawl_attempt *attempt, pawl_bytes) {
    try {
        std::vector<char> all(static_cast<size_t>(1) << 36);
    } catch (const std::bad_alloc &) {
        attempt->host->log(attempt, PAWL_LOG_WARNING, PAWL_STR("not enough memory"), PAWL_NO_STR);
        return PAWL_E_LIMIT;
    }
    return PAWL_OK;
}

static pawl_handler handler(const char *name, int32_t (*run)(void *, pawl_attempt *, pawl_bytes)) {
    pawl_handler made{};
    made.struct_size = sizeof made;
    made.name = name;
    made.run = run;
    return made;
}

static const pawl_handler handlers[] = {
    handler("memory.exits", exits),   handler("memory.leaves", leaves),         handler("memory.large", large),
    handler("memory.throws", throws), handler("memory.looks_away", looks_away), handler("memory.says_so", says_so),
    handler("memory.spreads", spreads)};

extern "C" PAWL_PLUGIN("memory", "1.0.0", handlers)
