/* environment.c - `environ` over memory of our own.
 *
 * setenv() of the C library moves the table to memory of its own before it changes it, and putenv() changes an entry of
 * the table: so a table that is still ours, with the same pointers to the same texts, has not been changed. */
#include "environment.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct table {
    char **entries; /* ended by NULL */
    char *texts;    /* of the run's own */
    size_t count;
} table;

static char **base;
static size_t base_count;
static table present, before;
static char **expected; /* copy of present.entries */
static uint64_t expected_hash;

static size_t count_entries(const char *entries, size_t length) {
    size_t count = 0;
    for (size_t i = 0; i < length; i++) if (entries[i] == 0) count++;
    return count;
}

static void fill(char **to, char *entries, size_t count) {
    for (size_t i = 0; i < count; i++) {
        to[i] = entries;
        entries += strlen(entries) + 1;
    }
}

/* FNV-1a over all texts, their ends included. */
static uint64_t hash(char **entries) {
    uint64_t sum = UINT64_C(14695981039346656037);
    for (; *entries != NULL; entries++) {
        const char *at = *entries;
        do sum = (sum ^ (unsigned char)*at) * UINT64_C(1099511628211);
        while (*at++ != 0);
    }
    return sum;
}

bool environment_base(char *entries, size_t length) {
    base_count = count_entries(entries, length);
    base = malloc((base_count + 1) * sizeof *base);
    if (base == NULL) return false;
    fill(base, entries, base_count);
    base[base_count] = NULL;
    environ = base;
    return true;
}

static bool same_name(const char *a, const char *b) {
    while (*a == *b && *a != '=' && *a != 0) a++, b++;
    return *a == '=' && *b == '=';
}

bool environment_for_run(const char *entries, size_t length) {
    size_t own = count_entries(entries, length), count = 0;
    table next = {.entries = malloc((base_count + own + 1) * sizeof *next.entries), .texts = malloc(length + 1)};
    char **copy = malloc((base_count + own + 1) * sizeof *copy);
    if (next.entries == NULL || next.texts == NULL || copy == NULL) {
        free(next.entries);
        free(next.texts);
        free(copy);
        return false;
    }
    memcpy(next.texts, entries, length);
    fill(next.entries, next.texts, own);
    count = own;
    for (size_t i = 0; i < base_count; i++) {
        size_t at = 0;
        while (at < own && !same_name(next.entries[at], base[i])) at++;
        if (at == own) next.entries[count++] = base[i];
    }
    next.entries[count] = NULL;
    next.count = count;
    memcpy(copy, next.entries, (count + 1) * sizeof *copy);
    free(before.entries);
    free(before.texts);
    before = present;
    present = next;
    free(expected);
    expected = copy;
    environ = present.entries;
    expected_hash = hash(environ);
    return true;
}

bool environment_is_unchanged(void) {
    return environ == present.entries && memcmp(environ, expected, (present.count + 1) * sizeof *expected) == 0
        && hash(environ) == expected_hash;
}
