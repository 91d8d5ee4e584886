// The demanglers of the two runtimes that this program has in it anyway. Both return memory from malloc, or NULL for what is no
// mangled name.
#include <stddef.h>
#include <stdint.h>

// Swift's runtime (stdlib/public/SwiftShims/swift/shims/Demangle… declares it nowhere for C): an output buffer of NULL asks for
// memory; flags must be 0.
char *swift_demangle(const char *name, size_t length, char *output, size_t *output_size, uint32_t flags);

// The Itanium C++ ABI's, in libstdc++. status: 0 done, -1 no memory, -2 no mangled name, -3 an argument is wrong.
char *__cxa_demangle(const char *name, char *output, size_t *output_size, int *status);
