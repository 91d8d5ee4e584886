#include "manifest.h"

#include "base64.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <stdarg.h>
#include <string.h>

typedef struct checker {
    arena *memory;
    const char *error; /* the first one */
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

static const type *type_member(checker *check, const json *object, const char *place, const char *key)
{
    const char *name = string_member(check, object, place, key, 1);
    const type *type = name == NULL ? NULL : type_named(name, strlen(name));
    if (name != NULL && type == NULL) {
        wrong(check, "%s: unknown type \"%s\"; known are %s", place, name, type_names());
    }
    return type;
}

static void read_length_type(checker *check, const json *object, const char *place, param *out)
{
    const char *name = string_member(check, object, place, "length_type", 0);
    out->length_type = name == NULL ? type_named("usize", 5) : type_named(name, strlen(name));
    if (out->length_type == NULL
        || (out->length_type->class != CLASS_SIGNED && out->length_type->class != CLASS_UNSIGNED)) {
        wrong(check, "%s: \"length_type\" must be a type of whole numbers, e.g. \"u32\"", place);
    }
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
        words = value_from_json(check->memory, out->type, out->fallback, &scratch);
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
                                        "length_type", "encoding", NULL};
    param *param = &out->params[out->param_count];
    if (object->kind != JSON_OBJECT) {
        wrong(check, "%s: must be an object", place);
        return;
    }
    only(check, object, place, known);
    param->name = string_member(check, object, place, "name", 1);
    param->type = type_member(check, object, place, "type");
    param->description = string_member(check, object, place, "description", 0);
    param->is_nullable = bool_member(check, object, place, "nullable");
    if (param->type == NULL || param->name == NULL) {
        return;
    }
    int is_pointer = param->type->class == CLASS_CSTRING || param->type->class == CLASS_BYTES;
    if (param->type->class == CLASS_VOID) {
        wrong(check, "%s: a parameter cannot be void", place);
    }
    if (param->is_nullable && !is_pointer) {
        wrong(check, "%s: only cstring and bytes can be nullable", place);
    }
    if (param->type->class == CLASS_BYTES) {
        read_length_type(check, object, place, param);
    } else if (json_member(object, "length_type") != NULL || json_member(object, "encoding") != NULL) {
        wrong(check, "%s: \"length_type\" and \"encoding\" are for bytes only", place);
    }
    for (unsigned i = 0; i < out->param_count; i++) {
        if (out->params[i].name != NULL && strcmp(out->params[i].name, param->name) == 0) {
            wrong(check, "%s: the name \"%s\" is taken", place, param->name);
        }
    }
    if (check->error == NULL) {
        read_fallback(check, object, place, param);
    }
    out->c_types[out->c_count++] = param->type->ffi;
    if (param->type->class == CLASS_BYTES && param->length_type != NULL) {
        out->c_types[out->c_count++] = param->length_type->ffi;
    }
    out->param_count++;
}

static void write_schemas(arena *memory, function *out)
{
    text schema = {.memory = memory};
    text required = {.memory = memory};
    text_str(&schema, "{\"type\":\"object\",\"properties\":{");
    int members = 0;
    for (unsigned i = 0; i < out->param_count; i++) {
        const param *param = &out->params[i];
        if (param->is_const) {
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
        type_to_schema(&result, out->result);
    }
    text_str(&result, out->wants_errno ? "},\"errno\":{\"type\":\"integer\"},\"error\":{\"type\":\"string\"}}" : "}}");
    text_str(&result, ",\"required\":[\"result\"]}");
    out->result_schema = result.bytes;
}

static void read_function(checker *check, const json *object, const char *place, function *out)
{
    static const char *const known[] = {"name", "symbol", "description", "params", "result", "errno", "free", NULL};
    if (object->kind != JSON_OBJECT) {
        wrong(check, "%s: must be an object", place);
        return;
    }
    only(check, object, place, known);
    out->name = string_member(check, object, place, "name", 1);
    out->symbol = string_member(check, object, place, "symbol", 1);
    out->description = string_member(check, object, place, "description", 0);
    out->free_symbol = string_member(check, object, place, "free", 0);
    out->result = type_member(check, object, place, "result");
    out->wants_errno = bool_member(check, object, place, "errno");
    if (out->result != NULL && out->result->class == CLASS_BYTES) {
        wrong(check, "%s: a result cannot be bytes: nothing says how many", place);
    }
    if (out->result != NULL && out->free_symbol != NULL && out->result->class != CLASS_CSTRING) {
        wrong(check, "%s: \"free\" is for a result that is a cstring", place);
    }
    const json *params = json_member(object, "params");
    if (params == NULL || params->kind != JSON_ARRAY || params->count > MAX_PARAMS) {
        wrong(check, "%s: \"params\" must be an array of at most %d", place, MAX_PARAMS);
        return;
    }
    unsigned index = 0;
    for (const json *param = params->first; param != NULL && check->error == NULL; param = param->next) {
        text inner = {.memory = check->memory};
        text_format(&inner, "%s.params[%u]", place, index++);
        read_param(check, param, inner.bytes, out);
    }
    if (check->error != NULL) {
        return;
    }
    if (ffi_prep_cif(&out->cif, FFI_DEFAULT_ABI, out->c_count, out->result->ffi, out->c_types) != FFI_OK) {
        wrong(check, "%s: libffi does not know how to make this call", place);
        return;
    }
    write_schemas(check->memory, out);
}

manifest *manifest_read(arena *memory, const char *bytes, size_t len, const char **error)
{
    static const char *const known[] = {"plugin", "version", "library", "functions", NULL};
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

/* A function of the library, or NULL and *error. */
static void (*find(arena *memory, void *library, const manifest *manifest, const char *symbol, const char **error))(void)
{
    text words = {.memory = memory};
    dlerror();
    void *address = dlsym(library, symbol);
    if (address == NULL) {
        const char *reason = dlerror();
        text_format(&words, "%s has no function \"%s\"", manifest->library, symbol);
        if (reason != NULL) {
            text_format(&words, " (%s)", reason);
        }
        *error = words.bytes;
        return NULL;
    }
    /* A variable would be called as if it were code. What an IFUNC resolved to need not be in the symbol table, so only a
     * symbol of exactly this address says something. */
    Dl_info info;
    void *extra = NULL;
    if (dladdr1(address, &info, &extra, RTLD_DL_SYMENT) != 0 && info.dli_saddr == address && extra != NULL
        && ELF64_ST_TYPE(((const ElfW(Sym) *)extra)->st_info) == STT_OBJECT) {
        text_format(&words, "\"%s\" of %s is a variable, not a function", symbol, manifest->library);
        *error = words.bytes;
        return NULL;
    }
    void (*code)(void);
    memcpy(&code, &address, sizeof(code)); /* ISO C has no cast from data to code; POSIX promises that they fit. */
    return code;
}

const char *manifest_bind(arena *memory, manifest *manifest)
{
    const char *error = NULL;
    void *library = dlopen(manifest->library, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        const char *reason = dlerror();
        text words = {.memory = memory};
        text_format(&words, "cannot load the library \"%s\": %s", manifest->library, reason == NULL ? "?" : reason);
        return words.bytes;
    }
    for (unsigned i = 0; i < manifest->function_count && error == NULL; i++) {
        function *function = &manifest->functions[i];
        function->address = find(memory, library, manifest, function->symbol, &error);
        if (error == NULL && function->free_symbol != NULL) {
            function->free_address = find(memory, library, manifest, function->free_symbol, &error);
        }
    }
    return error;
}
