/* output.c - see output.h. */
#include "output.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

static bool needs_comma;

void out_key(const char *name) {
    if (needs_comma) putchar(',');
    needs_comma = true;
    if (name == NULL) return;
    printf("\"%s\":", name);
}

void out_open(const char *name, char bracket) {
    out_key(name);
    putchar(bracket);
    needs_comma = false;
}

void out_close(char bracket) {
    putchar(bracket);
    needs_comma = true;
}

/* Length of the valid UTF-8 sequence at `at`, or 0. */
static int sequence(const unsigned char *at) {
    if (at[0] < 0x80) return 1;
    int length = at[0] >= 0xf0 && at[0] < 0xf5 ? 4 : at[0] >= 0xe0 ? 3 : at[0] >= 0xc2 ? 2 : 0;
    if (at[0] >= 0xf5) return 0;
    for (int i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80) return 0;
    if (length == 3 && ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f))) return 0;
    if (length == 4 && ((at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))) return 0;
    return length;
}

static void put_text(const char *text) {
    putchar('"');
    for (const unsigned char *at = (const unsigned char *)text; *at != 0;) {
        int length = sequence(at);
        if (length == 0) {
            fputs("\\ufffd", stdout);
            at++;
            continue;
        }
        if (*at == '"' || *at == '\\') printf("\\%c", *at);
        else if (*at < 0x20) printf("\\u%04x", *at);
        else fwrite(at, 1, (size_t)length, stdout);
        at += length;
    }
    putchar('"');
}

void out_text(const char *name, const char *text) {
    out_key(name);
    if (text == NULL) fputs("null", stdout);
    else put_text(text);
}

void out_number(const char *name, int64_t number) {
    out_key(name);
    printf("%" PRId64, number);
}

void out_address(const char *name, uint64_t address) {
    out_key(name);
    printf("\"0x%" PRIx64 "\"", address);
}

void out_true(const char *name) {
    out_key(name);
    fputs("true", stdout);
}
