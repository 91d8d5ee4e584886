/*
 * pawl_note.h - what a plugin says of itself without being loaded: the section .pawl.manifest. For C and C++, beside pawl.h.
 *
 *     #include <pawl.h>
 *     #include <pawl_note.h>
 *     ...
 *     PAWL_PLUGIN("hello", "1.0.0", handlers)
 *     PAWL_NOTE("hello", "1.0.0", "hello.world", "hello.moon")
 *
 * It is optional, and no part of the ABI: what counts is what the plugin says when it is loaded. Where the two differ, the host and
 * `pawl check` say so. Names and version are string literals without quotes and backslashes; at most 16 handlers are named.
 */
#ifndef PAWL_NOTE_H
#define PAWL_NOTE_H

#include "pawl.h"

/* The whole content, a JSON object, for whoever writes it by other means. Once per plugin, at file scope. */
#if defined(__has_attribute)
#if __has_attribute(retain)
#define PAWL_NOTE_KEPT section(".pawl.manifest"), used, retain
#endif
#endif
#ifndef PAWL_NOTE_KEPT
#define PAWL_NOTE_KEPT section(".pawl.manifest"), used
#endif
#define PAWL_NOTE_TEXT(json) __attribute__((PAWL_NOTE_KEPT)) static const char pawl_note_text[] = json;

/* Name and version of the plugin, then its handlers' names. */
#define PAWL_NOTE(name, version, ...)                                                                                 \
    PAWL_NOTE_TEXT("{\"name\":\"" name "\",\"version\":\"" version "\"," PAWL_NOTE_ABI "\"handlers\":["                  \
                   PAWL_NOTE_LIST_(__VA_ARGS__, PAWL_NOTE_COUNTS_) "]}")

#if PAWL_ABI_MAJOR == 1 && PAWL_ABI_MINOR == 0
#define PAWL_NOTE_ABI "\"abi\":\"1.0\","
#else
#define PAWL_NOTE_ABI
#endif

/* Private: one literal of a list of 1 to 16. */
#define PAWL_NOTE_COUNTS_ 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0
#define PAWL_NOTE_LIST_(...) PAWL_NOTE_PICK_(__VA_ARGS__)
#define PAWL_NOTE_PICK_(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, count, ...) PAWL_NOTE_##count(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p)
#define PAWL_NOTE_ONE_(a) "\"" a "\""
#define PAWL_NOTE_1(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) PAWL_NOTE_ONE_(a)
#define PAWL_NOTE_2(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) PAWL_NOTE_ONE_(a) "," PAWL_NOTE_ONE_(b)
#define PAWL_NOTE_3(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) PAWL_NOTE_ONE_(a) "," PAWL_NOTE_ONE_(b) "," PAWL_NOTE_ONE_(c)
#define PAWL_NOTE_4(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) PAWL_NOTE_ONE_(a) "," PAWL_NOTE_ONE_(b) "," PAWL_NOTE_ONE_(c) "," PAWL_NOTE_ONE_(d)
#define PAWL_NOTE_5(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) PAWL_NOTE_ONE_(a) "," PAWL_NOTE_ONE_(b) "," PAWL_NOTE_ONE_(c) "," PAWL_NOTE_ONE_(d) "," PAWL_NOTE_ONE_(e)
#define PAWL_NOTE_6(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) PAWL_NOTE_ONE_(a) "," PAWL_NOTE_ONE_(b) "," PAWL_NOTE_ONE_(c) "," PAWL_NOTE_ONE_(d) "," PAWL_NOTE_ONE_(e) "," PAWL_NOTE_ONE_(f)
#define PAWL_NOTE_7(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) PAWL_NOTE_ONE_(a) "," PAWL_NOTE_ONE_(b) "," PAWL_NOTE_ONE_(c) "," PAWL_NOTE_ONE_(d) "," PAWL_NOTE_ONE_(e) "," PAWL_NOTE_ONE_(f) "," PAWL_NOTE_ONE_(g)
#define PAWL_NOTE_8(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) PAWL_NOTE_ONE_(a) "," PAWL_NOTE_ONE_(b) "," PAWL_NOTE_ONE_(c) "," PAWL_NOTE_ONE_(d) "," PAWL_NOTE_ONE_(e) "," PAWL_NOTE_ONE_(f) "," PAWL_NOTE_ONE_(g) "," PAWL_NOTE_ONE_(h)
#define PAWL_NOTE_9(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) PAWL_NOTE_ONE_(a) "," PAWL_NOTE_ONE_(b) "," PAWL_NOTE_ONE_(c) "," PAWL_NOTE_ONE_(d) "," PAWL_NOTE_ONE_(e) "," PAWL_NOTE_ONE_(f) "," PAWL_NOTE_ONE_(g) "," PAWL_NOTE_ONE_(h) "," PAWL_NOTE_ONE_(i)
#define PAWL_NOTE_10(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) PAWL_NOTE_ONE_(a) "," PAWL_NOTE_ONE_(b) "," PAWL_NOTE_ONE_(c) "," PAWL_NOTE_ONE_(d) "," PAWL_NOTE_ONE_(e) "," PAWL_NOTE_ONE_(f) "," PAWL_NOTE_ONE_(g) "," PAWL_NOTE_ONE_(h) "," PAWL_NOTE_ONE_(i) "," PAWL_NOTE_ONE_(j)
#define PAWL_NOTE_11(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) PAWL_NOTE_ONE_(a) "," PAWL_NOTE_ONE_(b) "," PAWL_NOTE_ONE_(c) "," PAWL_NOTE_ONE_(d) "," PAWL_NOTE_ONE_(e) "," PAWL_NOTE_ONE_(f) "," PAWL_NOTE_ONE_(g) "," PAWL_NOTE_ONE_(h) "," PAWL_NOTE_ONE_(i) "," PAWL_NOTE_ONE_(j) "," PAWL_NOTE_ONE_(k)
#define PAWL_NOTE_12(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) PAWL_NOTE_ONE_(a) "," PAWL_NOTE_ONE_(b) "," PAWL_NOTE_ONE_(c) "," PAWL_NOTE_ONE_(d) "," PAWL_NOTE_ONE_(e) "," PAWL_NOTE_ONE_(f) "," PAWL_NOTE_ONE_(g) "," PAWL_NOTE_ONE_(h) "," PAWL_NOTE_ONE_(i) "," PAWL_NOTE_ONE_(j) "," PAWL_NOTE_ONE_(k) "," PAWL_NOTE_ONE_(l)
#define PAWL_NOTE_13(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) PAWL_NOTE_ONE_(a) "," PAWL_NOTE_ONE_(b) "," PAWL_NOTE_ONE_(c) "," PAWL_NOTE_ONE_(d) "," PAWL_NOTE_ONE_(e) "," PAWL_NOTE_ONE_(f) "," PAWL_NOTE_ONE_(g) "," PAWL_NOTE_ONE_(h) "," PAWL_NOTE_ONE_(i) "," PAWL_NOTE_ONE_(j) "," PAWL_NOTE_ONE_(k) "," PAWL_NOTE_ONE_(l) "," PAWL_NOTE_ONE_(m)
#define PAWL_NOTE_14(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) PAWL_NOTE_ONE_(a) "," PAWL_NOTE_ONE_(b) "," PAWL_NOTE_ONE_(c) "," PAWL_NOTE_ONE_(d) "," PAWL_NOTE_ONE_(e) "," PAWL_NOTE_ONE_(f) "," PAWL_NOTE_ONE_(g) "," PAWL_NOTE_ONE_(h) "," PAWL_NOTE_ONE_(i) "," PAWL_NOTE_ONE_(j) "," PAWL_NOTE_ONE_(k) "," PAWL_NOTE_ONE_(l) "," PAWL_NOTE_ONE_(m) "," PAWL_NOTE_ONE_(n)
#define PAWL_NOTE_15(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) PAWL_NOTE_ONE_(a) "," PAWL_NOTE_ONE_(b) "," PAWL_NOTE_ONE_(c) "," PAWL_NOTE_ONE_(d) "," PAWL_NOTE_ONE_(e) "," PAWL_NOTE_ONE_(f) "," PAWL_NOTE_ONE_(g) "," PAWL_NOTE_ONE_(h) "," PAWL_NOTE_ONE_(i) "," PAWL_NOTE_ONE_(j) "," PAWL_NOTE_ONE_(k) "," PAWL_NOTE_ONE_(l) "," PAWL_NOTE_ONE_(m) "," PAWL_NOTE_ONE_(n) "," PAWL_NOTE_ONE_(o)
#define PAWL_NOTE_16(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) PAWL_NOTE_ONE_(a) "," PAWL_NOTE_ONE_(b) "," PAWL_NOTE_ONE_(c) "," PAWL_NOTE_ONE_(d) "," PAWL_NOTE_ONE_(e) "," PAWL_NOTE_ONE_(f) "," PAWL_NOTE_ONE_(g) "," PAWL_NOTE_ONE_(h) "," PAWL_NOTE_ONE_(i) "," PAWL_NOTE_ONE_(j) "," PAWL_NOTE_ONE_(k) "," PAWL_NOTE_ONE_(l) "," PAWL_NOTE_ONE_(m) "," PAWL_NOTE_ONE_(n) "," PAWL_NOTE_ONE_(o) "," PAWL_NOTE_ONE_(p)

#endif
