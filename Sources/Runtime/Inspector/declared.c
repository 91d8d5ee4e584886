/* declared.c - see declared.h. Files may be anything: whatever cannot be read is no answer, never a wrong one. */
#include "declared.h"

#include <dwarf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 16
#define VERSION_HIDDEN 0x8000 /* of an entry of SHT_GNU_versym: not the default version */

static char *debug_path;
static const Dwfl_Callbacks offline = {
    .find_elf = dwfl_build_id_find_elf,
    .find_debuginfo = dwfl_standard_find_debuginfo,
    .section_address = dwfl_offline_section_address,
    .debuginfo_path = &debug_path,
};

void library_open(debug_library *library, const char *path) {
    *library = (debug_library){.problem = "the library cannot be read"};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat status;
    if (fd < 0) return;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || (library->dwfl = dwfl_begin(&offline)) == NULL) {
        close(fd);
        return;
    }
    library->module = dwfl_report_offline(library->dwfl, path, path, fd); /* takes the descriptor, if it succeeds */
    dwfl_report_end(library->dwfl, NULL, NULL);
    if (library->module == NULL) {
        close(fd);
        return;
    }
    Dwarf_Addr bias;
    library->dwarf = dwfl_module_getdwarf(library->module, &bias);
    if (library->dwarf == NULL) {
        library->problem = "the library has no debug information";
        return;
    }
    library->problem = NULL;
    dwfl_module_info(library->module, NULL, NULL, NULL, NULL, NULL, NULL, &library->debug);
}

void library_close(debug_library *library) {
    if (library->dwfl != NULL) dwfl_end(library->dwfl);
    *library = (debug_library){0};
}

/* The symbol that dlsym() finds: exported, of the default version. */
static bool find_symbol(Elf *elf, const char *name, GElf_Sym *out) {
    Elf_Data *symbols = NULL, *versions = NULL;
    size_t strings = 0;
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section)) != NULL;) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) == NULL) continue;
        if (header.sh_type == SHT_DYNSYM && symbols == NULL) {
            symbols = elf_getdata(section, NULL);
            strings = header.sh_link;
        } else if (header.sh_type == SHT_GNU_versym && versions == NULL) {
            versions = elf_getdata(section, NULL);
        }
    }
    GElf_Sym symbol;
    for (int i = 1; symbols != NULL && gelf_getsym(symbols, i, &symbol) != NULL; i++) {
        const char *called = elf_strptr(elf, strings, symbol.st_name);
        GElf_Versym version;
        if (called == NULL || symbol.st_shndx == SHN_UNDEF || strcmp(called, name) != 0) continue;
        if (versions != NULL && gelf_getversym(versions, i, &version) != NULL && version & VERSION_HIDDEN) continue;
        *out = symbol;
        return true;
    }
    return false;
}

typedef struct {
    Dwarf_Addr address;
    const char *symbol;
    Dwarf_Die entry;
    bool is_found, is_by_name;
} wanted;

static bool is_called(Dwarf_Die *entry, const char *symbol) {
    Dwarf_Attribute attribute;
    const char *linkage = dwarf_formstring(dwarf_attr_integrate(entry, DW_AT_linkage_name, &attribute));
    const char *plain = dwarf_diename(entry);
    return (linkage != NULL && strcmp(linkage, symbol) == 0) || (plain != NULL && strcmp(plain, symbol) == 0);
}

/* Functions of a unit, in namespaces and types too, that begin at the address: one of the symbol's name before another one.
 * Linkers fold equal code of different functions into one, and aliases have another name. */
static void search_below(Dwarf_Die *parent, wanted *search, int depth) {
    Dwarf_Die child;
    if (depth > DEPTH_MAX || dwarf_child(parent, &child) != 0) return;
    do {
        Dwarf_Addr begins;
        switch (dwarf_tag(&child)) {
        case DW_TAG_subprogram:
            if (dwarf_entrypc(&child, &begins) != 0 || begins != search->address) break;
            if (is_called(&child, search->symbol)) search->is_by_name = true;
            else if (search->is_found) break;
            search->entry = child;
            search->is_found = true;
            break;
        case DW_TAG_namespace:
        case DW_TAG_module:
        case DW_TAG_structure_type:
        case DW_TAG_class_type: search_below(&child, search, depth + 1); break;
        default: break;
        }
    } while (!search->is_by_name && dwarf_siblingof(&child, &child) == 0);
}

const char *declared_function(const debug_library *library, const char *symbol, Dwarf_Die *entry) {
    GElf_Addr bias;
    GElf_Sym found;
    if (library->module == NULL) return library->problem;
    Elf *elf = dwfl_module_getelf(library->module, &bias);
    if (elf == NULL) return "the library cannot be read";
    if (!find_symbol(elf, symbol, &found)) return "the library itself does not export it";
    if (GELF_ST_TYPE(found.st_info) == STT_GNU_IFUNC) return "the library chooses the function when it is loaded (an IFUNC)";
    if (GELF_ST_TYPE(found.st_info) != STT_FUNC) return "it is no function";
    if (library->dwarf == NULL) return library->problem;
    wanted search = {.address = found.st_value, .symbol = symbol};
    Dwarf_Die unit, split;
    if (dwarf_addrdie(library->dwarf, search.address, &unit) != NULL) search_below(&unit, &search, 0);
    /* Not every compiler writes the index that this goes by. */
    Dwarf_CU *next = NULL;
    while (!search.is_found && dwarf_get_units(library->dwarf, next, &next, NULL, NULL, &unit, &split) == 0)
        if (dwarf_haspc(&unit, search.address) == 1) search_below(dwarf_tag(&split) > 0 ? &split : &unit, &search, 0);
    if (!search.is_found) return "the debug information does not have this function";
    *entry = search.entry;
    /* Assemblers know where their functions are, and nothing of what they take. */
    if (dwarf_diecu(entry, &unit, NULL, NULL) != NULL && dwarf_srclang(&unit) == DW_LANG_Mips_Assembler)
        return "the function is written in assembler";
    return NULL;
}

/* The type of an entry, and whether there is one: 1, 0 for void, -1 for what cannot be read. */
static int type_of(Dwarf_Die *entry, Dwarf_Die *type) {
    Dwarf_Attribute attribute;
    if (dwarf_attr_integrate(entry, DW_AT_type, &attribute) == NULL) return 0;
    return dwarf_formref_die(&attribute, type) != NULL ? 1 : -1;
}

static shape_kind base_kind(Dwarf_Die *type) {
    Dwarf_Attribute attribute;
    Dwarf_Word encoding;
    if (dwarf_formudata(dwarf_attr(type, DW_AT_encoding, &attribute), &encoding) != 0) return SHAPE_UNREADABLE;
    switch (encoding) {
    case DW_ATE_boolean: return SHAPE_BOOL;
    case DW_ATE_signed:
    case DW_ATE_signed_char: return SHAPE_SIGNED;
    case DW_ATE_unsigned:
    case DW_ATE_unsigned_char:
    case DW_ATE_UTF: return SHAPE_UNSIGNED;
    case DW_ATE_float: return SHAPE_FLOAT;
    default: return SHAPE_OTHER;
    }
}

/* Typedefs and qualifiers off; not by libdw, which follows a circle for ever. */
static int peel(Dwarf_Die *type) {
    for (int i = 0; i < 64; i++) {
        switch (dwarf_tag(type)) {
        case DW_TAG_typedef:
        case DW_TAG_const_type:
        case DW_TAG_volatile_type:
        case DW_TAG_restrict_type:
        case DW_TAG_atomic_type:
        case DW_TAG_immutable_type: break;
        default: return 1;
        }
        Dwarf_Die inner;
        int is_there = type_of(type, &inner);
        if (is_there != 1) return is_there;
        *type = inner;
    }
    return -1;
}

shape shape_of(Dwarf_Die *entry) {
    shape out = {.kind = SHAPE_UNREADABLE};
    int is_there = type_of(entry, &out.die);
    if (is_there == 1) is_there = peel(&out.die);
    if (is_there != 1) {
        out.kind = is_there == 0 ? SHAPE_VOID : SHAPE_UNREADABLE;
        return out;
    }
    int bytes = dwarf_bytesize(&out.die);
    out.bytes = bytes < 0 ? 0 : (uint64_t)bytes;
    switch (dwarf_tag(&out.die)) {
    case DW_TAG_base_type: out.kind = bytes < 0 ? SHAPE_UNREADABLE : base_kind(&out.die); break;
    case DW_TAG_enumeration_type: out.kind = bytes < 0 ? SHAPE_UNREADABLE : SHAPE_ENUM; break;
    case DW_TAG_pointer_type:
    case DW_TAG_reference_type:
    case DW_TAG_rvalue_reference_type: out.kind = SHAPE_POINTER; break;
    /* Of a type that is only declared here nobody knows more. */
    case DW_TAG_structure_type:
    case DW_TAG_class_type: out.kind = bytes < 0 ? SHAPE_UNREADABLE : SHAPE_RECORD; break;
    case DW_TAG_union_type: out.kind = bytes < 0 ? SHAPE_UNREADABLE : SHAPE_UNION; break;
    case DW_TAG_array_type: {
        Dwarf_Word size;
        out.kind = SHAPE_ARRAY;
        out.bytes = dwarf_aggregate_size(&out.die, &size) == 0 ? size : 0;
        break;
    }
    case DW_TAG_subroutine_type: out.kind = SHAPE_FUNCTION; break;
    case DW_TAG_unspecified_type: out.kind = SHAPE_UNREADABLE; break;
    default: out.kind = SHAPE_OTHER; break;
    }
    return out;
}

void declared_params_of(Dwarf_Die *function, declared_params *out) {
    Dwarf_Attribute attribute;
    Dwarf_Die from = *function, abstract, child;
    memset(out, 0, sizeof *out);
    /* A function that is inlined elsewhere has its declaration apart from its code, and whole only there. */
    if (dwarf_attr(function, DW_AT_abstract_origin, &attribute) != NULL && dwarf_formref_die(&attribute, &abstract) != NULL)
        from = abstract;
    if (dwarf_child(&from, &child) != 0) return;
    do {
        int tag = dwarf_tag(&child);
        if (tag == DW_TAG_unspecified_parameters) out->is_variadic = true;
        if (tag != DW_TAG_formal_parameter) continue;
        if (out->count == DECLARED_PARAMS_MAX) {
            out->is_too_many = true;
            return;
        }
        out->params[out->count++] = child;
    } while (dwarf_siblingof(&child, &child) == 0);
}

static void put(char *words, size_t size, const char *more) {
    size_t length = strlen(words);
    if (length + 1 < size) snprintf(words + length, size - length, "%s", more);
}

static void put_type(Dwarf_Die *entry, char *words, size_t size, int depth) {
    Dwarf_Die type;
    int is_there = depth > DEPTH_MAX ? -1 : type_of(entry, &type);
    if (is_there != 1) {
        put(words, size, is_there == 0 ? "void" : "?");
        return;
    }
    const char *name = dwarf_diename(&type);
    switch (dwarf_tag(&type)) {
    case DW_TAG_const_type:
        put(words, size, "const ");
        put_type(&type, words, size, depth + 1);
        return;
    case DW_TAG_volatile_type:
    case DW_TAG_restrict_type:
    case DW_TAG_atomic_type: put_type(&type, words, size, depth + 1); return;
    case DW_TAG_pointer_type: {
        if (shape_of(&type).kind == SHAPE_FUNCTION) {
            put(words, size, "a pointer to a function");
            return;
        }
        put_type(&type, words, size, depth + 1);
        put(words, size, words[strlen(words) - 1] == '*' ? "*" : " *");
        return;
    }
    case DW_TAG_reference_type:
    case DW_TAG_rvalue_reference_type:
        put_type(&type, words, size, depth + 1);
        put(words, size, " &");
        return;
    case DW_TAG_structure_type: put(words, size, "struct "); break;
    case DW_TAG_union_type: put(words, size, "union "); break;
    case DW_TAG_enumeration_type: put(words, size, "enum "); break;
    case DW_TAG_array_type:
        put_type(&type, words, size, depth + 1);
        put(words, size, " []");
        return;
    case DW_TAG_typedef:
        put(words, size, name != NULL ? name : "?");
        if (depth == 0) {
            /* What hides behind the name is what counts. */
            Dwarf_Die inner = type;
            char hidden[160] = "";
            shape plain = shape_of(entry);
            bool is_plain = plain.kind == SHAPE_BOOL || plain.kind == SHAPE_SIGNED || plain.kind == SHAPE_UNSIGNED
                            || plain.kind == SHAPE_FLOAT;
            const char *base = is_plain ? dwarf_diename(&plain.die) : NULL;
            if (base == NULL && plain.kind == SHAPE_POINTER) put_type(&inner, hidden, sizeof hidden, 1);
            if (base != NULL) snprintf(hidden, sizeof hidden, "%s", base);
            if (hidden[0] != 0 && (name == NULL || strcmp(hidden, name) != 0)) {
                put(words, size, " (");
                put(words, size, hidden);
                put(words, size, ")");
            }
        }
        return;
    default: break;
    }
    put(words, size, name != NULL ? name : "without a name");
}

void type_words(Dwarf_Die *entry, char *words, size_t size) {
    words[0] = 0;
    put_type(entry, words, size, 0);
}
