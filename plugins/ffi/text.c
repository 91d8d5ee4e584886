#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arena_block {
    struct arena_block *next;
    /* What follows is aligned like max_align_t. */
    _Alignas(max_align_t) char bytes[];
};

void *arena_alloc(arena *memory, size_t size)
{
    struct arena_block *block = calloc(1, sizeof(*block) + size);
    if (block == NULL) {
        fprintf(stderr, "pawl-ffi: out of memory\n");
        abort();
    }
    block->next = memory->blocks;
    memory->blocks = block;
    return block->bytes;
}

char *arena_copy(arena *memory, const char *bytes, size_t len)
{
    char *copy = arena_alloc(memory, len + 1);
    if (len > 0) {
        memcpy(copy, bytes, len);
    }
    return copy;
}

void arena_free(arena *memory)
{
    while (memory->blocks != NULL) {
        struct arena_block *next = memory->blocks->next;
        free(memory->blocks);
        memory->blocks = next;
    }
}

void text_add(text *out, const char *bytes, size_t len)
{
    if (out->len + len + 1 > out->room) {
        size_t room = (out->len + len + 1) * 2;
        char *grown = arena_alloc(out->memory, room < 256 ? 256 : room);
        if (out->len > 0) {
            memcpy(grown, out->bytes, out->len);
        }
        out->bytes = grown;
        out->room = room < 256 ? 256 : room;
    }
    if (len > 0) {
        memcpy(out->bytes + out->len, bytes, len);
    }
    out->len += len;
    out->bytes[out->len] = '\0';
}

void text_str(text *out, const char *terminated)
{
    text_add(out, terminated, strlen(terminated));
}

void text_format(text *out, const char *format, ...)
{
    char small[512];
    va_list arguments;
    va_start(arguments, format);
    int needed = vsnprintf(small, sizeof(small), format, arguments);
    va_end(arguments);
    if (needed < 0) {
        return;
    }
    if ((size_t)needed < sizeof(small)) {
        text_add(out, small, (size_t)needed);
        return;
    }
    char *large = arena_alloc(out->memory, (size_t)needed + 1);
    va_start(arguments, format);
    vsnprintf(large, (size_t)needed + 1, format, arguments);
    va_end(arguments);
    text_add(out, large, (size_t)needed);
}

/* Length of the well-formed UTF-8 sequence at bytes, 0 if there is none (Unicode 15, table 3-7). */
static size_t utf8_length(const unsigned char *bytes, size_t len)
{
    unsigned char first = bytes[0];
    if (first < 0x80) {
        return 1;
    }
    size_t length = first >= 0xC2 && first <= 0xDF ? 2 : first >= 0xE0 && first <= 0xEF ? 3 : first >= 0xF0 && first <= 0xF4 ? 4 : 0;
    if (length == 0 || length > len) {
        return 0;
    }
    unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (bytes[1] < low || bytes[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if ((bytes[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return length;
}

void text_json(text *out, const char *bytes, size_t len)
{
    text_add(out, "\"", 1);
    size_t i = 0;
    while (i < len) {
        unsigned char byte = (unsigned char)bytes[i];
        size_t length = utf8_length((const unsigned char *)bytes + i, len - i);
        if (length == 0) {
            text_str(out, "\xEF\xBF\xBD");
            length = 1;
        } else if (byte == '"' || byte == '\\') {
            text_format(out, "\\%c", byte);
        } else if (byte == '\n') {
            text_str(out, "\\n");
        } else if (byte < 0x20) {
            text_format(out, "\\u%04x", byte);
        } else {
            text_add(out, bytes + i, length);
        }
        i += length;
    }
    text_add(out, "\"", 1);
}

void text_json_str(text *out, const char *terminated)
{
    text_json(out, terminated, strlen(terminated));
}
