/* columns.c - names, made unique and escaped once per file. */
#include "columns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "writer.h"

#define SUFFIX_MAX 24

typedef struct building {
    char **names; /* terminated, escaped */
    size_t count;
} building;

static int taken(const building *b, const char *name) {
    for (size_t i = 0; i < b->count; i++) if (strcmp(b->names[i], name) == 0) return 1;
    return 0;
}

/* Quadratic in the number of columns, which is bounded, and once per file. */
static int add(building *b, const char *name, size_t length) {
    int repaired = 0;
    char *escaped = malloc(length * 6 + 2 * SUFFIX_MAX);
    if (escaped == NULL) return -1;
    size_t end = json_escape(name, length, escaped, &repaired);
    escaped[end] = 0;
    if (end == 0) end = (size_t)snprintf(escaped, SUFFIX_MAX, "column_%zu", b->count + 1);
    for (unsigned again = 2; taken(b, escaped); again++) snprintf(escaped + end, SUFFIX_MAX, "_%u", again);
    b->names[b->count++] = escaped;
    return 0;
}

/* Turns names into prefixes and frees them. */
static int finish(building *b, columns *c) {
    size_t size = 0, at = 0;
    for (size_t i = 0; i < b->count; i++) size += strlen(b->names[i]) + 5;
    c->bytes = malloc(size);
    c->ends = malloc(b->count * sizeof *c->ends);
    c->count = b->count;
    int fine = c->bytes != NULL && c->ends != NULL;
    for (size_t i = 0; i < b->count; i++) {
        if (fine) {
            at += (size_t)sprintf(c->bytes + at, "%c\"%s\":", i == 0 ? '{' : ',', b->names[i]);
            c->ends[i] = at;
        }
        free(b->names[i]);
    }
    free(b->names);
    return fine ? 0 : -1;
}

static int32_t no_memory(pawl_attempt *attempt) {
    return fail_with(attempt, "csv_memory", PAWL_RETRY_BY_POLICY, "out of memory for the names of the columns");
}

int32_t columns_from_args(pawl_attempt *attempt, const options *o, columns *c) {
    building b = {calloc(o->name_count, sizeof(char *)), 0};
    if (b.names == NULL) return no_memory(attempt);
    for (size_t i = 0; i < o->name_count; i++) {
        pawl_str name;
        int32_t status = args->array_str(attempt, "names", i, &name);
        if (status != PAWL_OK || add(&b, name.ptr, name.len) != 0) {
            finish(&b, c);
            return status != PAWL_OK ? status : no_memory(attempt);
        }
    }
    return finish(&b, c) == 0 ? PAWL_OK : no_memory(attempt);
}

int32_t columns_from_record(pawl_attempt *attempt, const options *o, const record *first, columns *c) {
    building b = {calloc(first->count, sizeof(char *)), 0};
    if (b.names == NULL) return no_memory(attempt);
    for (size_t i = 0; i < first->count; i++) {
        const field *f = &first->fields[i];
        if (add(&b, first->bytes + f->start, o->header ? f->length : 0) != 0) {
            finish(&b, c);
            return no_memory(attempt);
        }
    }
    return finish(&b, c) == 0 ? PAWL_OK : no_memory(attempt);
}

void columns_free(columns *c) {
    free(c->bytes);
    free(c->ends);
    *c = (columns){0};
}
