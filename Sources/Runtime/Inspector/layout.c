/* layout.c - see layout.h. Structs are compared member by member where these lie, whatever they are called and however they are
 * nested: that is what a call depends on. */
#include "layout.h"

#include <dwarf.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LEAVES_MAX 2048
#define NESTED_MAX 16

typedef struct {
    const char *name; /* with those of the structs around it */
    uint64_t offset, bytes;
    const type *said;
    shape is;
    Dwarf_Die entry;
} leaf;

typedef struct {
    arena *memory;
    leaf *leaves;
    unsigned count;
    bool is_broken; /* too many, too deep, or not all of it can be read */
} leaf_list;

static leaf *add(leaf_list *to, const char *outer, const char *name, uint64_t offset) {
    if (to->count == LEAVES_MAX) {
        to->is_broken = true;
        return NULL;
    }
    text path = {.memory = to->memory};
    text_format(&path, "%s%s%s", outer, outer[0] == 0 || name[0] == 0 || name[0] == '[' ? "" : ".", name);
    to->leaves[to->count] = (leaf){.name = path.bytes == NULL ? "" : path.bytes, .offset = offset};
    return &to->leaves[to->count++];
}

static void flatten_said(leaf_list *to, const type *said, const char *outer, uint64_t base) {
    for (unsigned i = 0; i < said->field_count && !to->is_broken; i++) {
        const field *member = &said->fields[i];
        leaf *one = add(to, outer, member->name, base + member->offset);
        if (one == NULL) return;
        if (member->type->class == CLASS_STRUCT) {
            const char *name = one->name;
            to->count--;
            flatten_said(to, member->type, name, base + member->offset);
        } else {
            one->said = member->type;
            one->bytes = member->type->ffi->size;
        }
    }
}

static void flatten_record(leaf_list *to, Dwarf_Die *record, const char *outer, uint64_t base, int depth);

static void flatten_one(leaf_list *to, shape is, Dwarf_Die *entry, const char *outer, const char *name, uint64_t offset, int depth) {
    leaf *one = add(to, outer, name, offset);
    if (one == NULL) return;
    one->is = is;
    one->bytes = is.bytes;
    one->entry = *entry;
    if (is.kind == SHAPE_UNREADABLE) to->is_broken = true;
    if (is.kind != SHAPE_RECORD && is.kind != SHAPE_ARRAY) return;
    const char *path = one->name;
    to->count--;
    if (is.kind == SHAPE_RECORD) {
        flatten_record(to, &is.die, path, offset, depth + 1);
        return;
    }
    shape element = shape_of(&is.die);
    if (element.kind == SHAPE_ARRAY || (element.bytes == 0 && is.bytes != 0)) {
        to->is_broken = true;
        return;
    }
    /* An array of several dimensions is one after the other in memory. */
    for (uint64_t at = 0; at + element.bytes <= is.bytes && element.bytes > 0 && !to->is_broken; at += element.bytes) {
        char index[32];
        snprintf(index, sizeof index, "[%" PRIu64 "]", at / element.bytes);
        flatten_one(to, element, &is.die, path, index, offset + at, depth + 1);
    }
}

static void flatten_record(leaf_list *to, Dwarf_Die *record, const char *outer, uint64_t base, int depth) {
    Dwarf_Die child;
    if (depth > NESTED_MAX) {
        to->is_broken = true;
        return;
    }
    if (dwarf_child(record, &child) != 0) return;
    do {
        Dwarf_Attribute attribute;
        Dwarf_Word offset = 0;
        int tag = dwarf_tag(&child);
        if ((tag != DW_TAG_member && tag != DW_TAG_inheritance) || dwarf_hasattr(&child, DW_AT_external)) continue;
        bool is_bits = dwarf_hasattr(&child, DW_AT_bit_size);
        if (dwarf_attr(&child, DW_AT_data_member_location, &attribute) != NULL) {
            if (dwarf_formudata(&attribute, &offset) != 0) to->is_broken = true;
        } else if (is_bits && dwarf_formudata(dwarf_attr(&child, DW_AT_data_bit_offset, &attribute), &offset) == 0) {
            offset /= 8;
        }
        shape is = shape_of(&child);
        if (is_bits) is.kind = SHAPE_BITS;
        const char *name = dwarf_diename(&child);
        flatten_one(to, is, &child, outer, name == NULL ? "" : name, base + offset, depth);
    } while (!to->is_broken && dwarf_siblingof(&child, &child) == 0);
}

const char *said_words(arena *memory, const type *said) {
    text words = {.memory = memory};
    if (said->class == CLASS_POINTER) {
        text_format(&words, "pointer<%s>", said->target->name);
    } else if (said->class == CLASS_STRUCT) {
        if (strcmp(said->name, "struct") == 0) text_format(&words, "a struct of %zu bytes", said->ffi->size);
        else text_format(&words, "%s (a struct of %zu bytes)", said->name, said->ffi->size);
    } else if (said->class == CLASS_ENUM) {
        text_format(&words, "%s%s", strcmp(said->name, "enum") == 0 ? "" : "enum ", said->name);
    } else {
        text_str(&words, said->name);
    }
    return words.bytes;
}

shape pointee(shape pointer) { return shape_of(&pointer.die); }

/* Names that both know must mean the same number. */
static const char *wrong_name(arena *memory, const type *said, Dwarf_Die *enumeration) {
    Dwarf_Die child;
    if (dwarf_child(enumeration, &child) != 0) return NULL;
    do {
        Dwarf_Attribute attribute;
        Dwarf_Sword number;
        const char *name = dwarf_diename(&child);
        if (dwarf_tag(&child) != DW_TAG_enumerator || name == NULL
            || dwarf_formsdata(dwarf_attr(&child, DW_AT_const_value, &attribute), &number) != 0)
            continue;
        for (unsigned i = 0; i < said->field_count; i++) {
            if (strcmp(said->fields[i].name, name) != 0 || said->fields[i].number == (int32_t)number) continue;
            text words = {.memory = memory};
            text_format(&words, "the manifest says that %s is %" PRId32 ", the library %" PRId64, name, said->fields[i].number,
                        (int64_t)number);
            return words.bytes;
        }
    } while (dwarf_siblingof(&child, &child) == 0);
    return NULL;
}

static comparison differ(arena *memory, const type *said, Dwarf_Die *entry, const char **words) {
    char is[256];
    text out = {.memory = memory};
    type_words(entry, is, sizeof is);
    text_format(&out, "the manifest says %s, the library %s", said_words(memory, said), is);
    *words = out.bytes;
    return COMPARED_DIFFERENT;
}

static comparison compare_struct(arena *memory, const type *said, shape is, bool is_read_only, const char **words) {
    leaf_list ours = {.memory = memory, .leaves = arena_alloc(memory, LEAVES_MAX * sizeof(leaf))};
    leaf_list theirs = {.memory = memory, .leaves = arena_alloc(memory, LEAVES_MAX * sizeof(leaf))};
    text out = {.memory = memory};
    flatten_said(&ours, said, "", 0);
    flatten_record(&theirs, &is.die, "", 0, 0);
    if (ours.is_broken || theirs.is_broken) {
        *words = "the members of a struct cannot be read from the debug information";
        return COMPARED_UNREADABLE;
    }
    unsigned next = 0;
    for (unsigned i = 0; i < ours.count; i++) {
        const leaf *one = &ours.leaves[i];
        if (next == theirs.count) {
            text_format(&out, "the manifest's struct has a member \"%s\" that the library's has not", one->name);
            *words = out.bytes;
            return COMPARED_DIFFERENT;
        }
        leaf *other = &theirs.leaves[next];
        /* Any view of a union is one of its own. */
        if (other->is.kind == SHAPE_UNION && one->offset >= other->offset && one->offset + one->bytes <= other->offset + other->bytes) {
            next += i + 1 == ours.count || ours.leaves[i + 1].offset >= other->offset + other->bytes;
            continue;
        }
        next++;
        const char *inner = NULL;
        if (one->offset != other->offset) {
            text_format(&out, "member \"%s\" is at byte %" PRIu64 " in the manifest, the library has \"%s\" at byte %" PRIu64 " there",
                        one->name, one->offset, other->name, other->offset);
            *words = out.bytes;
            return COMPARED_DIFFERENT;
        }
        if (other->is.kind == SHAPE_BITS) {
            text_format(&out, "member \"%s\": the library has a bit field there, which no manifest can describe", one->name);
            *words = out.bytes;
            return COMPARED_DIFFERENT;
        }
        comparison result = compare_value(memory, one->said, &other->entry, is_read_only, &inner);
        if (result != COMPARED_SAME) {
            text_format(&out, "member \"%s\": %s", one->name, inner);
            *words = out.bytes;
            return result;
        }
    }
    if (!is_read_only && next < theirs.count) {
        text_format(&out, "the library's struct has a member \"%s\" that the manifest's has not", theirs.leaves[next].name);
        *words = out.bytes;
        return COMPARED_DIFFERENT;
    }
    if (!is_read_only && said->ffi->size != is.bytes) {
        text_format(&out, "the manifest's struct has %zu bytes, the library's %" PRIu64, said->ffi->size, is.bytes);
        *words = out.bytes;
        return COMPARED_DIFFERENT;
    }
    return COMPARED_SAME;
}

static bool is_character(shape is) {
    return (is.kind == SHAPE_SIGNED || is.kind == SHAPE_UNSIGNED) && is.bytes == 1;
}

comparison compare_value(arena *memory, const type *said, Dwarf_Die *entry, bool is_read_only, const char **words) {
    shape is = shape_of(entry), target;
    bool is_same = false;
    if (is.kind == SHAPE_UNREADABLE) {
        *words = "its type cannot be read from the debug information";
        return COMPARED_UNREADABLE;
    }
    switch (said->class) {
    case CLASS_VOID: is_same = is.kind == SHAPE_VOID; break;
    case CLASS_BOOL: is_same = is.kind == SHAPE_BOOL && is.bytes == 1; break;
    case CLASS_SIGNED:
    case CLASS_UNSIGNED:
        /* Whether an enum is signed is the compiler's choice. */
        is_same = is.bytes * 8 == said->bits
                  && (is.kind == SHAPE_ENUM || is.kind == (said->class == CLASS_SIGNED ? SHAPE_SIGNED : SHAPE_UNSIGNED));
        break;
    case CLASS_FLOAT: is_same = is.kind == SHAPE_FLOAT && is.bytes * 8 == said->bits; break;
    case CLASS_ENUM:
        is_same = is.bytes == 4 && (is.kind == SHAPE_ENUM || is.kind == SHAPE_SIGNED || is.kind == SHAPE_UNSIGNED);
        if (is_same && is.kind == SHAPE_ENUM && (*words = wrong_name(memory, said, &is.die)) != NULL) return COMPARED_DIFFERENT;
        break;
    case CLASS_CSTRING:
        if (is.kind != SHAPE_POINTER) break;
        target = pointee(is);
        is_same = target.kind == SHAPE_VOID || is_character(target);
        break;
    case CLASS_POINTER:
        if (is.kind != SHAPE_POINTER) break;
        target = pointee(is);
        if (target.kind == SHAPE_VOID) return COMPARED_SAME;
        return compare_value(memory, said->target, &is.die, true, words);
    case CLASS_STRUCT:
        if (is.kind == SHAPE_RECORD) return compare_struct(memory, said, is, is_read_only, words);
        break;
    case CLASS_BYTES:
    case CLASS_BUFFER: break; /* pointers, which the caller compares */
    }
    return is_same ? COMPARED_SAME : differ(memory, said, entry, words);
}
