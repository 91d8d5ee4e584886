/* text.h - memory that is given back all at once, and texts that grow. */
#ifndef PAWL_FFI_TEXT_H
#define PAWL_FFI_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* Blocks that live until arena_free(); one that is never freed makes immortal ones. Zeroed at the start. */
typedef struct arena {
    struct arena_block *blocks;
} arena;

/* Zeroed memory for any type. Where there is none the process ends: it is a child, or a zygote that only loads. */
void *arena_alloc(arena *memory, size_t size);
/* A terminated copy of len bytes. */
char *arena_copy(arena *memory, const char *bytes, size_t len);
void arena_free(arena *memory);

/* A growing text in an arena, always terminated once something was added. Zeroed but for memory at the start. */
typedef struct text {
    arena *memory;
    char *bytes;
    size_t len;
    size_t room;
} text;

void text_add(text *out, const char *bytes, size_t len);
void text_str(text *out, const char *terminated);
void text_format(text *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A JSON string with its quotes. Broken UTF-8 becomes U+FFFD. */
void text_json(text *out, const char *bytes, size_t len);
void text_json_str(text *out, const char *terminated);

#endif
