#include "manifest.h"

#include "base64.h"
#include "expression.h"
#include "prototype.h"

#include <stdio.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FIELDS 64

typedef struct checker {
    arena *memory;
    const char *error; /* the first one */
    const manifest *manifest;
} checker;

__attribute__((format(printf, 2, 3))) static void wrong(checker *check, const char *format, ...)
{
    if (check->error != NULL) {
        return;
    }
    char words[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof(words), format, arguments);
    va_end(arguments);
    check->error = arena_copy(check->memory, words, strlen(words));
}

/* An object may only have these members: a misspelt one must not be silently without effect. */
static void only(checker *check, const json *object, const char *place, const char *const *names)
{
    for (const json *member = object->first; member != NULL; member = member->next) {
        int known = 0;
        text all = {.memory = check->memory};
        for (const char *const *name = names; *name != NULL; name++) {
            known |= strcmp(member->key, *name) == 0;
            text_format(&all, "%s%s", name == names ? "" : ", ", *name);
        }
        if (!known) {
            wrong(check, "%s: unknown member \"%s\"; known are %s", place, member->key, all.bytes);
        }
    }
}

/* A string member without zero bytes; `fallback` where it is absent, and an error where that is NULL and it is needed. */
static const char *string_member(checker *check, const json *object, const char *place, const char *key, int needed)
{
    const json *member = json_member(object, key);
    if (member == NULL) {
        if (needed) {
            wrong(check, "%s: \"%s\" is missing", place, key);
        }
        return NULL;
    }
    if (member->kind != JSON_STRING || member->len == 0 || strlen(member->bytes) != member->len) {
        wrong(check, "%s: \"%s\" must be a string that is not empty", place, key);
        return NULL;
    }
    return member->bytes;
}

static int bool_member(checker *check, const json *object, const char *place, const char *key)
{
    const json *member = json_member(object, key);
    if (member != NULL && member->kind != JSON_BOOL) {
        wrong(check, "%s: \"%s\" must be true or false", place, key);
    }
    return member != NULL && member->truth;
}

static const type *read_type(checker *check, const json *from, const char *place);

/* The fields of {"struct": [{"name", "type"}, ...]}, as a C compiler lays them out. */
static const type *read_struct(checker *check, const json *members, const char *place)
{
    static const char *const known[] = {"name", "type", NULL};
    if (members->kind != JSON_ARRAY || members->count == 0 || members->count > MAX_FIELDS) {
        wrong(check, "%s: \"struct\" must be an array of 1 to %d members", place, MAX_FIELDS);
        return NULL;
    }
    field *fields = arena_alloc(check->memory, members->count * sizeof(field));
    ffi_type *ffi = arena_alloc(check->memory, sizeof(*ffi));
    ffi->type = FFI_TYPE_STRUCT;
    ffi->elements = arena_alloc(check->memory, (members->count + 1) * sizeof(ffi_type *));
    type *out = arena_alloc(check->memory, sizeof(*out));
    *out = (type){.name = "struct", .class = CLASS_STRUCT, .ffi = ffi, .fields = fields};
    for (const json *member = members->first; member != NULL; member = member->next) {
        if (member->kind != JSON_OBJECT) {
            wrong(check, "%s: a member must be an object with \"name\" and \"type\"", place);
            return NULL;
        }
        only(check, member, place, known);
        field *field = &fields[out->field_count];
        field->name = string_member(check, member, place, "name", 1);
        const json *of = json_member(member, "type");
        field->type = of == NULL ? NULL : read_type(check, of, place);
        if (field->type == NULL || field->name == NULL) {
            wrong(check, "%s: a member needs \"name\" and \"type\"", place);
            return NULL;
        }
        if (field->type->class == CLASS_VOID || field->type->class == CLASS_BYTES || field->type->class == CLASS_BUFFER
            || field->type->class == CLASS_POINTER) {
            wrong(check, "%s: member \"%s\": a struct cannot hold %s", place, field->name, field->type->name);
            return NULL;
        }
        ffi->elements[out->field_count++] = field->type->ffi;
    }
    size_t *offsets = arena_alloc(check->memory, members->count * sizeof(size_t));
    if (ffi_get_struct_offsets(FFI_DEFAULT_ABI, ffi, offsets) != FFI_OK) {
        wrong(check, "%s: libffi cannot lay out this struct", place);
        return NULL;
    }
    for (unsigned i = 0; i < out->field_count; i++) {
        fields[i].offset = offsets[i];
    }
    return out;
}

/* {"enum": {"NAME": number, ...}} */
static const type *read_enum(checker *check, const json *names, const char *place)
{
    if (names->kind != JSON_OBJECT || names->count == 0) {
        wrong(check, "%s: \"enum\" must be an object of names and whole numbers", place);
        return NULL;
    }
    field *fields = arena_alloc(check->memory, names->count * sizeof(field));
    type *out = arena_alloc(check->memory, sizeof(*out));
    *out = (type){.name = "enum", .class = CLASS_ENUM, .bits = 32, .ffi = &ffi_type_sint32, .fields = fields};
    for (const json *name = names->first; name != NULL; name = name->next) {
        value number;
        if (value_from_json(check->memory, type_named("i32", 3), name, &number) != NULL) {
            wrong(check, "%s: \"%s\" must be a whole number of 32 bits", place, name->key);
            return NULL;
        }
        fields[out->field_count++] = (field){.name = name->key, .number = number.i32};
    }
    return out;
}

/* A name, pointer<NAME>, or an object that says what a struct or an enum consists of. */
static const type *read_type(checker *check, const json *from, const char *place)
{
    if (from->kind == JSON_OBJECT && from->count == 1 && strcmp(from->first->key, "struct") == 0) {
        return read_struct(check, from->first, place);
    }
    if (from->kind == JSON_OBJECT && from->count == 1 && strcmp(from->first->key, "enum") == 0) {
        return read_enum(check, from->first, place);
    }
    if (from->kind == JSON_STRING) {
        if (from->len > 9 && strncmp(from->bytes, "pointer<", 8) == 0 && from->bytes[from->len - 1] == '>') {
            json inner = {.kind = JSON_STRING, .len = from->len - 9};
            inner.bytes = arena_copy(check->memory, from->bytes + 8, inner.len);
            const type *target = read_type(check, &inner, place);
            if (target == NULL || target->class == CLASS_VOID || target->class == CLASS_BYTES || target->class == CLASS_BUFFER
                || target->class == CLASS_POINTER) {
                wrong(check, "%s: a pointer must lead to a number, a cstring, an enum or a struct", place);
                return NULL;
            }
            type *out = arena_alloc(check->memory, sizeof(*out));
            *out = (type){.name = "pointer", .class = CLASS_POINTER, .ffi = &ffi_type_pointer, .target = target};
            return out;
        }
        const type *known = type_named(from->bytes, from->len);
        for (unsigned i = 0; known == NULL && i < check->manifest->named_count; i++) {
            known = strcmp(check->manifest->named[i].name, from->bytes) == 0 ? &check->manifest->named[i] : NULL;
        }
        if (known == NULL) {
            wrong(check, "%s: unknown type \"%s\"; known are %s", place, from->bytes, type_names());
        }
        return known;
    }
    wrong(check, "%s: a type must be a name, {\"struct\": [...]} or {\"enum\": {...}}", place);
    return NULL;
}

static const type *type_member(checker *check, const json *object, const char *place, const char *key)
{
    const json *member = json_member(object, key);
    if (member == NULL) {
        wrong(check, "%s: \"%s\" is missing", place, key);
        return NULL;
    }
    return read_type(check, member, place);
}

/* out<T> and inout<T> of a parameter. */
static const type *param_type(checker *check, const json *object, const char *place, enum direction *direction)
{
    static const char *const prefixes[] = {"", "out<", "inout<"};
    const json *member = json_member(object, "type");
    *direction = GOES_IN;
    for (int i = GOES_OUT; member != NULL && member->kind == JSON_STRING && i <= GOES_INOUT; i++) {
        size_t len = strlen(prefixes[i]);
        if (member->len > len + 1 && strncmp(member->bytes, prefixes[i], len) == 0 && member->bytes[member->len - 1] == '>') {
            json inner = {.kind = JSON_STRING, .len = member->len - len - 1};
            inner.bytes = arena_copy(check->memory, member->bytes + len, inner.len);
            *direction = (enum direction)i;
            const type *type = read_type(check, &inner, place);
            if (type != NULL && (type->class == CLASS_VOID || type->class == CLASS_BYTES || type->class == CLASS_BUFFER
                                 || type->class == CLASS_POINTER || (i == GOES_INOUT && type->class == CLASS_CSTRING))) {
                wrong(check, "%s: %s%s> is not possible; for memory that the function fills there is \"buffer\"", place,
                      prefixes[i], type->name);
            }
            return type;
        }
    }
    return type_member(check, object, place, "type");
}

static void read_named(checker *check, const json *types, manifest *out)
{
    if (types == NULL) {
        return;
    }
    if (types->kind != JSON_OBJECT) {
        wrong(check, "manifest: \"types\" must be an object of names and types");
        return;
    }
    out->named = arena_alloc(check->memory, (types->count + 1) * sizeof(type));
    for (const json *member = types->first; member != NULL && check->error == NULL; member = member->next) {
        text place = {.memory = check->memory};
        text_format(&place, "types.%s", member->key);
        if (type_named(member->key, member->key_len) != NULL) {
            wrong(check, "%s: the name is taken", place.bytes);
        }
        const type *read = read_type(check, member, place.bytes);
        if (read != NULL) {
            out->named[out->named_count] = *read;
            out->named[out->named_count++].name = member->key;
        }
    }
}

int param_is_arg(const param *param)
{
    return !param->is_const && param->value == NULL && param->direction != GOES_OUT && param->type->class != CLASS_BUFFER;
}

static void read_length_type(checker *check, const json *object, const char *place, param *out)
{
    const char *name = string_member(check, object, place, "length_type", 0);
    out->length_type = name == NULL ? type_named("usize", 5) : type_named(name, strlen(name));
    if (out->length_type == NULL
        || (out->length_type->class != CLASS_SIGNED && out->length_type->class != CLASS_UNSIGNED)) {
        wrong(check, "%s: \"length_type\" must be a type of whole numbers, e.g. \"u32\"", place);
    }
}

static void read_encoding(checker *check, const json *object, const char *place, param *out)
{
    const char *encoding = string_member(check, object, place, "encoding", 0);
    out->is_base64 = encoding != NULL && strcmp(encoding, "base64") == 0;
    if (encoding != NULL && !out->is_base64 && strcmp(encoding, "utf8") != 0) {
        wrong(check, "%s: \"encoding\" must be \"utf8\" or \"base64\"", place);
    }
}

/* A default or const must itself be a value of the type. */
static void read_fallback(checker *check, const json *object, const char *place, param *out)
{
    const json *constant = json_member(object, "const");
    const json *fallback = json_member(object, "default");
    if (constant != NULL && fallback != NULL) {
        wrong(check, "%s: \"default\" and \"const\" exclude each other", place);
        return;
    }
    out->is_const = constant != NULL;
    out->fallback = constant != NULL ? constant : fallback;
    if (out->fallback == NULL || out->type == NULL || (out->fallback->kind == JSON_NULL && out->is_nullable)) {
        return;
    }
    value scratch;
    const char *words = NULL;
    if (out->type->class != CLASS_BYTES) {
        void *room = out->type->ffi->size > sizeof(scratch) ? arena_alloc(check->memory, out->type->ffi->size) : &scratch;
        words = memory_from_json(check->memory, out->type, out->fallback, room);
    } else if (out->fallback->kind != JSON_STRING) {
        words = "must be a string";
    } else if (out->is_base64 && base64_decode(check->memory, out->fallback->bytes, out->fallback->len).ptr == NULL) {
        words = "must be base64";
    }
    if (words != NULL) {
        wrong(check, "%s: \"%s\" %s", place, out->is_const ? "const" : "default", words);
    }
}

static void read_param(checker *check, const json *object, const char *place, function *out)
{
    static const char *const known[] = {"name", "type", "description", "default", "const", "nullable",
                                        "length_type", "encoding", "size", "used", "value", NULL};
    param *param = &out->params[out->param_count];
    if (object->kind != JSON_OBJECT) {
        wrong(check, "%s: must be an object", place);
        return;
    }
    only(check, object, place, known);
    param->name = string_member(check, object, place, "name", 1);
    param->type = param_type(check, object, place, &param->direction);
    param->description = string_member(check, object, place, "description", 0);
    param->is_nullable = bool_member(check, object, place, "nullable");
    if (param->type == NULL || param->name == NULL) {
        return;
    }
    int is_buffer = param->type->class == CLASS_BUFFER;
    param->size = string_member(check, object, place, "size", is_buffer);
    param->used = string_member(check, object, place, "used", 0);
    param->value = string_member(check, object, place, "value", 0);
    if (!is_buffer && (param->size != NULL || param->used != NULL)) {
        wrong(check, "%s: \"size\" and \"used\" are for a buffer only", place);
    }
    if (param->value != NULL && ((param->type->class != CLASS_SIGNED && param->type->class != CLASS_UNSIGNED)
                                 || param->direction == GOES_OUT || json_member(object, "const") != NULL
                                 || json_member(object, "default") != NULL)) {
        wrong(check, "%s: \"value\" is for a whole number that goes in, without \"default\" and \"const\"", place);
    }
    if ((is_buffer || param->direction == GOES_OUT)
        && (json_member(object, "const") != NULL || json_member(object, "default") != NULL)) {
        wrong(check, "%s: \"default\" and \"const\" are for what goes in", place);
    }
    if (param->type->class == CLASS_POINTER) {
        wrong(check, "%s: pointer<T> is for results; a parameter is out<T> or inout<T>", place);
    }
    int is_pointer = param->type->class == CLASS_CSTRING || param->type->class == CLASS_BYTES;
    if (param->type->class == CLASS_VOID) {
        wrong(check, "%s: a parameter cannot be void", place);
    }
    if (param->is_nullable && (!is_pointer || param->direction != GOES_IN)) {
        wrong(check, "%s: only cstring and bytes can be nullable", place);
    }
    if (param->type->class == CLASS_BYTES) {
        read_length_type(check, object, place, param);
    } else if (json_member(object, "length_type") != NULL || (json_member(object, "encoding") != NULL && !is_buffer)) {
        wrong(check, "%s: \"length_type\" and \"encoding\" are for bytes only (\"encoding\" for a buffer too)", place);
    }
    if (is_buffer || param->type->class == CLASS_BYTES) {
        read_encoding(check, object, place, param);
    }
    for (unsigned i = 0; i < out->param_count; i++) {
        if (out->params[i].name != NULL && strcmp(out->params[i].name, param->name) == 0) {
            wrong(check, "%s: the name \"%s\" is taken", place, param->name);
        }
    }
    if (check->error == NULL) {
        read_fallback(check, object, place, param);
    }
    out->c_types[out->c_count++] = param->direction == GOES_IN ? param->type->ffi : &ffi_type_pointer;
    if (param->type->class == CLASS_BYTES && param->length_type != NULL) {
        out->c_types[out->c_count++] = param->length_type->ffi;
    }
    out->param_count++;
}

/* What comes back may be more than what goes in: a number without a name in an enum, NULL in a struct's cstring. */
static void result_to_schema(text *out, const type *type)
{
    if (type->class == CLASS_STRUCT) {
        text_str(out, "\"type\":\"object\"");
    } else if (type->class == CLASS_POINTER) {
        text_str(out, type->target->class == CLASS_STRUCT ? "\"type\":[\"object\",\"null\"]" : "");
    } else if (type->class == CLASS_ENUM) {
        text_str(out, "\"type\":[\"string\",\"integer\"]");
    } else {
        type_to_schema(out, type);
    }
}

static void write_schemas(arena *memory, function *out)
{
    text schema = {.memory = memory};
    text required = {.memory = memory};
    text_str(&schema, "{\"type\":\"object\",\"properties\":{");
    int members = 0;
    for (unsigned i = 0; i < out->param_count; i++) {
        const param *param = &out->params[i];
        if (!param_is_arg(param)) {
            continue;
        }
        text_str(&schema, members++ > 0 ? "," : "");
        text_json_str(&schema, param->name);
        text_str(&schema, ":{");
        if (param->is_nullable) {
            text_str(&schema, "\"type\":[\"string\",\"null\"]");
        } else {
            type_to_schema(&schema, param->type);
        }
        if (param->is_base64) {
            text_str(&schema, ",\"contentEncoding\":\"base64\"");
        }
        if (param->description != NULL) {
            text_str(&schema, ",\"description\":");
            text_json_str(&schema, param->description);
        }
        text_str(&schema, "}");
        if (param->fallback == NULL) {
            text_str(&required, required.len > 0 ? "," : "");
            text_json_str(&required, param->name);
        }
    }
    text_str(&schema, "},\"required\":[");
    text_add(&schema, required.bytes == NULL ? "" : required.bytes, required.len);
    text_str(&schema, "],\"additionalProperties\":false}");
    out->args_schema = schema.bytes;

    text result = {.memory = memory};
    text_str(&result, "{\"type\":\"object\",\"properties\":{\"result\":{");
    if (out->result->class == CLASS_CSTRING) {
        text_str(&result, "\"type\":[\"string\",\"null\"]");
    } else {
        result_to_schema(&result, out->result);
    }
    text_str(&result, out->wants_errno ? "},\"errno\":{\"type\":\"integer\"},\"error\":{\"type\":\"string\"}" : "}");
    for (unsigned i = 0; i < out->param_count; i++) {
        const param *param = &out->params[i];
        if (param->direction == GOES_IN && param->type->class != CLASS_BUFFER) {
            continue;
        }
        text_str(&result, ",");
        text_json_str(&result, param->name);
        text_str(&result, ":{");
        if (param->type->class == CLASS_CSTRING) {
            text_str(&result, "\"type\":[\"string\",\"null\"]");
        } else {
            result_to_schema(&result, param->type);
        }
        text_str(&result, param->is_base64 ? ",\"contentEncoding\":\"base64\"}" : "}");
    }
    text_str(&result, "},\"required\":[\"result\"]}");
    out->result_schema = result.bytes;
}

/* Whether expressions name what there is; every number counts as 1. */
static int any_name(void *context, const char *called, const char *name, uint64_t *out)
{
    const function *function = context;
    *out = 1;
    if (strcmp(name, "result") == 0 && called[0] == '\0') {
        return function->result->class == CLASS_SIGNED || function->result->class == CLASS_UNSIGNED;
    }
    for (unsigned i = 0; i < function->param_count; i++) {
        const param *param = &function->params[i];
        if (strcmp(param->name, name) == 0) {
            enum type_class class = param->type->class;
            return called[0] == '\0'    ? class == CLASS_SIGNED || class == CLASS_UNSIGNED
                   : called[0] == 'l' ? class == CLASS_BYTES || (class == CLASS_CSTRING && param->direction == GOES_IN)
                                      : class == CLASS_BUFFER;
        }
    }
    return 0;
}

static void check_expression(checker *check, const char *place, const char *what, const char *expression, function *function)
{
    uint64_t ignored;
    const char *words =
        expression == NULL ? NULL : expression_value(check->memory, expression, any_name, function, &ignored);
    /* With every number at 1 a difference may be negative, and a divisor 0: that is the call's to find. */
    if (words != NULL && strstr(words, "below 0") == NULL && strstr(words, "by 0") == NULL) {
        wrong(check, "%s: \"%s\": %s", place, what, words);
    }
}

/* The default promotions of C: a callee finds nothing narrower behind the dots. */
static int is_promoted(const param *param)
{
    const type *type = param->type;
    return param->direction != GOES_IN || type->class == CLASS_CSTRING || type->class == CLASS_ENUM || type->class == CLASS_BUFFER
           || ((type->class == CLASS_SIGNED || type->class == CLASS_UNSIGNED) && type->bits >= 32)
           || (type->class == CLASS_FLOAT && type->bits == 64);
}

static void read_params(checker *check, const json *params, const char *place, const char *key, function *out)
{
    unsigned index = 0;
    if (params->kind != JSON_ARRAY || params->count + out->param_count > MAX_PARAMS) {
        wrong(check, "%s: \"%s\" must be an array; at most %d parameters are possible", place, key, MAX_PARAMS);
        return;
    }
    for (const json *param = params->first; param != NULL && check->error == NULL; param = param->next) {
        text inner = {.memory = check->memory};
        text_format(&inner, "%s.%s[%u]", place, key, index++);
        read_param(check, param, inner.bytes, out);
    }
}

static void read_function(checker *check, const json *object, const char *place, function *out)
{
    static const char *const known[] = {"name", "symbol", "description", "prototype", "params", "varargs", "result", "errno",
                                        "free", "unchecked", NULL};
    if (object->kind != JSON_OBJECT) {
        wrong(check, "%s: must be an object", place);
        return;
    }
    only(check, object, place, known);
    const json *varargs = json_member(object, "varargs");
    const char *prototype = string_member(check, object, place, "prototype", 0);
    if (prototype != NULL) {
        const char *words = NULL;
        object = prototype_expand(check->memory, prototype, object, &words);
        if (object == NULL) {
            wrong(check, "%s: \"prototype\": %s", place, words);
            return;
        }
    }
    out->name = string_member(check, object, place, "name", 1);
    out->symbol = string_member(check, object, place, "symbol", 1);
    out->description = string_member(check, object, place, "description", 0);
    out->free_symbol = string_member(check, object, place, "free", 0);
    out->result = type_member(check, object, place, "result");
    out->wants_errno = bool_member(check, object, place, "errno");
    out->is_unchecked = bool_member(check, object, place, "unchecked");
    if (out->result != NULL && (out->result->class == CLASS_BYTES || out->result->class == CLASS_BUFFER)) {
        wrong(check, "%s: a result cannot be bytes: nothing says how many", place);
    }
    if (out->result != NULL && out->free_symbol != NULL && out->result->class != CLASS_CSTRING
        && out->result->class != CLASS_POINTER) {
        wrong(check, "%s: \"free\" is for a result that is a cstring or a pointer", place);
    }
    const json *params = json_member(object, "params");
    if (params == NULL) {
        wrong(check, "%s: \"params\" is missing", place);
        return;
    }
    read_params(check, params, place, "params", out);
    out->fixed_count = out->c_count;
    if (varargs != NULL && check->error == NULL) {
        unsigned first = out->param_count;
        out->is_variadic = 1;
        read_params(check, varargs, place, "varargs", out);
        for (unsigned i = first; i < out->param_count && check->error == NULL; i++) {
            if (!is_promoted(&out->params[i])) {
                wrong(check, "%s.varargs[%u]: behind \"...\" C has i32, u32, i64, u64, isize, usize, f64, cstring, enums and "
                             "pointers only",
                      place, i - first);
            }
        }
        if (out->fixed_count == 0) {
            wrong(check, "%s: a variadic function has a parameter before the dots", place);
        }
    }
    for (unsigned i = 0; i < out->param_count && check->error == NULL; i++) {
        check_expression(check, place, "size", out->params[i].size, out);
        check_expression(check, place, "used", out->params[i].used, out);
        check_expression(check, place, "value", out->params[i].value, out);
    }
    if (check->error != NULL) {
        return;
    }
    ffi_status status =
        out->is_variadic
            ? ffi_prep_cif_var(&out->cif, FFI_DEFAULT_ABI, out->fixed_count, out->c_count, out->result->ffi, out->c_types)
            : ffi_prep_cif(&out->cif, FFI_DEFAULT_ABI, out->c_count, out->result->ffi, out->c_types);
    if (status != FFI_OK) {
        wrong(check, "%s: libffi does not know how to make this call", place);
        return;
    }
    write_schemas(check->memory, out);
}

manifest *manifest_read(arena *memory, const char *bytes, size_t len, const char **error)
{
    static const char *const known[] = {"plugin", "version", "library", "types", "functions", NULL};
    checker check = {.memory = memory};
    const json *root = json_parse(memory, bytes, len, error);
    if (root == NULL) {
        return NULL;
    }
    manifest *out = arena_alloc(memory, sizeof(*out));
    if (root->kind != JSON_OBJECT) {
        *error = "a manifest must be an object";
        return NULL;
    }
    only(&check, root, "manifest", known);
    out->plugin = string_member(&check, root, "manifest", "plugin", 1);
    out->version = string_member(&check, root, "manifest", "version", 1);
    out->library = string_member(&check, root, "manifest", "library", 1);
    check.manifest = out;
    read_named(&check, json_member(root, "types"), out);
    const json *functions = json_member(root, "functions");
    if (functions == NULL || functions->kind != JSON_ARRAY || functions->count == 0 || functions->count > 1000) {
        wrong(&check, "manifest: \"functions\" must be an array of 1 to 1000");
    } else {
        out->functions = arena_alloc(memory, functions->count * sizeof(function));
        for (const json *object = functions->first; object != NULL && check.error == NULL; object = object->next) {
            text place = {.memory = memory};
            text_format(&place, "functions[%u]", out->function_count);
            read_function(&check, object, place.bytes, &out->functions[out->function_count++]);
        }
    }
    *error = check.error;
    return check.error == NULL ? out : NULL;
}
