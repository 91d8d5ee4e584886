/* json.h - reads JSON texts (RFC 8259) into trees: manifests in the zygote, args in a child. */
#ifndef PAWL_FFI_JSON_H
#define PAWL_FFI_JSON_H

#include "text.h"

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

typedef struct json {
    enum json_kind kind;
    int truth;          /* of a bool */
    const char *bytes;  /* a number's text; a string, unescaped, which may hold zero bytes; terminated besides */
    size_t len;
    const char *key;    /* of an object's member; terminated */
    size_t key_len;
    size_t count;       /* of elements or members */
    struct json *first; /* element or member */
    struct json *next;  /* sibling */
} json;

/* The tree, in memory of the arena; NULL and a terminated English *error if the text is not JSON. */
const json *json_parse(arena *memory, const char *bytes, size_t len, const char **error);

/* The member of that name, the last one of several; NULL if there is none or `object` is no object. */
const json *json_member(const json *object, const char *key);

/* What people call it: "a string", "null", ... */
const char *json_kind_name(const json *value);

#endif
