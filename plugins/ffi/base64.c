#include "base64.h"

static int digit(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

span base64_decode(arena *memory, const char *bytes, size_t len)
{
    span none = {NULL, 0};
    if (len % 4 == 0) {
        len -= len >= 1 && bytes[len - 1] == '=';
        len -= len % 4 == 3 && bytes[len - 1] == '=';
    }
    if (len % 4 == 1) {
        return none;
    }
    char *out = arena_alloc(memory, len * 3 / 4 + 1);
    size_t count = 0;
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < len; i++) {
        int value = digit(bytes[i]);
        if (value < 0) {
            return none;
        }
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[count++] = (char)(bits >> held);
        }
    }
    span decoded = {out, count};
    return decoded;
}

void base64_encode(text *out, const unsigned char *bytes, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < len; i += 3) {
        size_t rest = len - i;
        unsigned bits = (unsigned)bytes[i] << 16 | (rest > 1 ? (unsigned)bytes[i + 1] << 8 : 0) | (rest > 2 ? bytes[i + 2] : 0);
        char four[4] = {digits[bits >> 18], digits[bits >> 12 & 63], rest > 1 ? digits[bits >> 6 & 63] : '=',
                        rest > 2 ? digits[bits & 63] : '='};
        text_add(out, four, sizeof(four));
    }
}
