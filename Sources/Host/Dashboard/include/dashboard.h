#ifndef PAWL_DASHBOARD_H
#define PAWL_DASHBOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if !defined(__clang__)
#define _Nonnull
#define _Null_unspecified
#endif

/// One file of the page, embedded into the binary at build time.
///
/// Everything it points to lives in read-only memory for the life of the process; nobody frees it. No pointer is NULL in a
/// file that was found. [any-thread]
struct dashboard_asset {
    /// The path below which the page asks for it: "index.html", "app.css", … never with a leading slash. NUL-terminated.
    const char *_Null_unspecified name;
    /// The value of Content-Type, with the charset for text. NUL-terminated.
    const char *_Null_unspecified content_type;
    /// The file's bytes; not NUL-terminated.
    const uint8_t *_Null_unspecified bytes;
    /// Number of bytes, always above zero.
    size_t length;
};

/// The number of embedded files. [any-thread]
size_t dashboard_asset_count(void);

/// Writes the file at `index` to `asset`. Returns false, and leaves `asset` alone, when `index` is not below
/// `dashboard_asset_count()`. [any-thread]
bool dashboard_asset_at(size_t index, struct dashboard_asset *_Nonnull asset);

/// Writes the file called `name` to `asset` (compared byte by byte, case matters). Returns false, and leaves `asset`
/// alone, when there is none. [any-thread]
///
/// The set is closed: a name from a request is only ever compared, never opened, so a path cannot escape.
bool dashboard_find(const char *_Nonnull name, struct dashboard_asset *_Nonnull asset);

#ifdef __cplusplus
}
#endif

#endif
