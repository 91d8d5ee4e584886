/* compare.c - see compare.h. */
#include "compare.h"

#include "layout.h"

#include <stdio.h>
#include <string.h>

/* One parameter as C has it: bytes are two. */
typedef struct {
    const param *param;
    bool is_length;
} c_param;

static unsigned places_of(const function *said, c_param *places) {
    unsigned count = 0;
    for (unsigned i = 0; i < said->param_count && count < said->fixed_count; i++) {
        places[count++] = (c_param){&said->params[i], false};
        if (said->params[i].type->class == CLASS_BYTES) places[count++] = (c_param){&said->params[i], true};
    }
    return count;
}

static const char *place_words(arena *memory, const c_param *at) {
    const param *one = at->param;
    if (at->is_length) return one->length_type->name;
    if (one->direction == GOES_IN) return said_words(memory, one->type);
    text words = {.memory = memory};
    text_format(&words, "%s<%s>", one->direction == GOES_OUT ? "out" : "inout", one->type->name);
    return words.bytes;
}

/* Memory that is given to the function: of what, is between the two, but it is no function, and nobody's pointers. */
static bool takes_memory(shape is) {
    shape target = is.kind == SHAPE_POINTER ? pointee(is) : is;
    return is.kind == SHAPE_POINTER && target.kind != SHAPE_FUNCTION && target.kind != SHAPE_POINTER;
}

/* A null pointer is often said as a number that is always 0. */
static bool is_null(const param *one) {
    return one->is_const && one->type->bits == 64 && one->fallback->kind == JSON_NUMBER && strcmp(one->fallback->bytes, "0") == 0;
}

static comparison compare_param(arena *memory, const c_param *at, Dwarf_Die *entry, const char **words) {
    const param *one = at->param;
    shape is = shape_of(entry);
    if (at->is_length) return compare_value(memory, one->length_type, entry, false, words);
    if (one->direction == GOES_IN && one->type->class != CLASS_BYTES && one->type->class != CLASS_BUFFER) {
        if (is.kind == SHAPE_POINTER && is_null(one)) return COMPARED_SAME;
        return compare_value(memory, one->type, entry, false, words);
    }
    if (is.kind == SHAPE_UNREADABLE) {
        *words = "its type cannot be read from the debug information";
        return COMPARED_UNREADABLE;
    }
    if (one->direction != GOES_IN && is.kind == SHAPE_POINTER) {
        shape target = pointee(is);
        if (target.kind == SHAPE_VOID) return COMPARED_SAME;
        if (target.kind == SHAPE_UNREADABLE) {
            *words = "what it points to cannot be read from the debug information";
            return COMPARED_UNREADABLE;
        }
        const char *inner = NULL;
        comparison result = compare_value(memory, one->type, &is.die, false, &inner);
        text out = {.memory = memory};
        if (result != COMPARED_SAME) text_format(&out, "behind the pointer %s", inner);
        *words = out.bytes;
        return result;
    }
    if (one->direction == GOES_IN && takes_memory(is)) return COMPARED_SAME;
    char there[256];
    text out = {.memory = memory};
    type_words(entry, there, sizeof there);
    text_format(&out, "the manifest says %s, the library %s", place_words(memory, at), there);
    *words = out.bytes;
    return COMPARED_DIFFERENT;
}

/* Both lists, since one of them has to be mended. */
static const char *counts_words(arena *memory, const c_param *places, unsigned count, declared_params *there) {
    text out = {.memory = memory};
    text_format(&out, "the manifest has %u parameter%s (", count, count == 1 ? "" : "s");
    for (unsigned i = 0; i < count; i++) text_format(&out, "%s%s", i > 0 ? ", " : "", place_words(memory, &places[i]));
    text_format(&out, "), the library %u (", there->count);
    for (unsigned i = 0; i < there->count; i++) {
        char one[256];
        type_words(&there->params[i], one, sizeof one);
        text_format(&out, "%s%s", i > 0 ? ", " : "", one);
    }
    text_str(&out, ")");
    return out.bytes;
}

comparison compare_function(arena *memory, const function *said, Dwarf_Die *entry, const char **words) {
    static declared_params there;
    c_param places[2 * MAX_PARAMS];
    unsigned count = places_of(said, places);
    declared_params_of(entry, &there);
    if (there.is_too_many) {
        *words = "the debug information has more parameters than can be";
        return COMPARED_UNREADABLE;
    }
    if (there.count != count) {
        *words = counts_words(memory, places, count, &there);
        return COMPARED_DIFFERENT;
    }
    if (there.is_variadic != (said->is_variadic != 0)) {
        *words = there.is_variadic ? "the library's function takes variable arguments: say which in \"varargs\""
                                   : "the manifest has \"varargs\", the library's function takes no variable arguments";
        return COMPARED_DIFFERENT;
    }
    comparison worst = COMPARED_SAME;
    const char *inner = NULL;
    for (unsigned i = 0; i < count; i++) {
        comparison result = compare_param(memory, &places[i], &there.params[i], &inner);
        if (result == COMPARED_SAME || (result == COMPARED_UNREADABLE && worst != COMPARED_SAME)) continue;
        text out = {.memory = memory};
        text_format(&out, "parameter %u, \"%s\"%s: %s", i + 1, places[i].param->name, places[i].is_length ? " (its length)" : "", inner);
        *words = out.bytes;
        if (result == COMPARED_DIFFERENT) return result;
        worst = result;
    }
    comparison result = compare_value(memory, said->result, entry, false, &inner);
    if (result == COMPARED_SAME || (result == COMPARED_UNREADABLE && worst != COMPARED_SAME)) return worst;
    text out = {.memory = memory};
    text_format(&out, "the result: %s", inner);
    *words = out.bytes;
    return result;
}

comparison compare_release(arena *memory, const char *symbol, Dwarf_Die *entry, const char **words) {
    static declared_params there;
    declared_params_of(entry, &there);
    if (there.count == 1 && !there.is_variadic) {
        shape is = shape_of(&there.params[0]);
        if (is.kind == SHAPE_POINTER || is.kind == SHAPE_UNREADABLE) return is.kind == SHAPE_POINTER ? COMPARED_SAME : COMPARED_UNREADABLE;
    }
    text out = {.memory = memory};
    text_format(&out, "\"free\": %s of the library does not take one pointer", symbol);
    *words = out.bytes;
    return COMPARED_DIFFERENT;
}
