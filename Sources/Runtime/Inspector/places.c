/* places.c - see places.h. */
#include "places.h"

#include <dwarf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"

#define FILES_MAX 64 /* inlined functions in one place */

/* The name that the linker knows, for it says most. */
static const char *linkage_name(Dwarf_Die *die) {
    Dwarf_Attribute attribute;
    const char *name = dwarf_formstring(dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute));
    return name != NULL ? name : dwarf_formstring(dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute));
}

static const char *die_name(Dwarf_Die *die) {
    const char *name = linkage_name(die);
    return name != NULL ? name : dwarf_diename(die);
}

/* A name with its module or class in it: C++, Rust, Swift. */
static bool is_mangled(const char *name) {
    return strncmp(name, "_Z", 2) == 0 || strncmp(name, "_R", 2) == 0 || strncmp(name, "$s", 2) == 0;
}

static void write_place(const char *function, const char *file, int line, bool inlined, void (*shared)(void *), void *context) {
    out_open(NULL, '{');
    if (function != NULL) out_text("function", function);
    if (file != NULL) {
        out_text("file", file);
        if (line > 0) out_number("line", line);
    }
    if (inlined) out_true("inlined");
    shared(context);
    out_close('}');
}

/* Where an inlined function was called: the place of the function around it. */
static void call_site(Dwarf_Die *cu, Dwarf_Die *inlined, const char **file, int *line) {
    Dwarf_Attribute attribute;
    Dwarf_Word value;
    Dwarf_Files *files;
    size_t count;
    *file = NULL;
    *line = 0;
    if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attribute), &value) == 0 &&
        dwarf_getsrcfiles(cu, &files, &count) == 0 && value < count)
        *file = dwarf_filesrc(files, (size_t)value, NULL, NULL);
    if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attribute), &value) == 0) *line = (int)value;
}

/* The scopes around an address as they lie in each other. dwarf_getscopes goes on from an inlined function to where that is
 * written; who it was put into is told by the scopes of the innermost one. */
static int lexical_scopes(Dwarf_Die *cu, Dwarf_Addr address, Dwarf_Die **scopes) {
    Dwarf_Die *found = NULL;
    int count = dwarf_getscopes(cu, address, &found);
    if (count > 0) {
        Dwarf_Die innermost = found[0];
        count = dwarf_getscopes_die(&innermost, scopes);
    }
    free(found);
    return count;
}

/* The compilation unit with the code at `address`. clang, and Swift with it, write no table of ranges, which libdw looks into:
 * then every unit is asked. */
static Dwarf_Die *unit_of(Dwfl_Module *module, Dwarf_Addr address, Dwarf_Addr *bias) {
    Dwarf_Die *cu = dwfl_module_addrdie(module, address, bias);
    if (cu != NULL) return cu;
    while ((cu = dwfl_module_nextcu(module, cu, bias)) != NULL)
        if (dwarf_haspc(cu, address - *bias) == 1) return cu;
    return NULL;
}

static void source_of(Dwarf_Die *cu, Dwarf_Addr address, const char **file, int *line) {
    Dwarf_Line *found = dwarf_getsrc_die(cu, address);
    *file = NULL;
    *line = 0;
    if (found == NULL) return;
    *file = dwarf_linesrc(found, NULL, NULL);
    if (*file == NULL || dwarf_lineno(found, line) != 0) *line = 0;
}

void places_write(Dwfl_Module *module, Dwarf_Addr address, void (*shared)(void *), void *context) {
    const char *file = NULL, *symbol;
    int line = 0;
    Dwarf_Addr bias = 0;
    GElf_Off within;
    GElf_Sym unused;
    Dwarf_Die *cu = unit_of(module, address, &bias), *scopes = NULL;
    if (cu != NULL) source_of(cu, address - bias, &file, &line);
    int count = cu == NULL ? 0 : lexical_scopes(cu, address - bias, &scopes);
    bool done = false;
    for (int i = 0; i < count && i < FILES_MAX && !done; i++) {
        int tag = dwarf_tag(&scopes[i]);
        const char *name;
        switch (tag) {
        case DW_TAG_inlined_subroutine:
            write_place(die_name(&scopes[i]), file, line, true, shared, context);
            call_site(cu, &scopes[i], &file, &line);
            break;
        case DW_TAG_subprogram:
            name = linkage_name(&scopes[i]);
            symbol = dwfl_module_addrinfo(module, address, &within, &unused, NULL, NULL, NULL);
            /* Line tables alone, and functions of one file, have only the plain name. */
            if (name == NULL && symbol != NULL && is_mangled(symbol)) name = symbol;
            if (name == NULL) name = dwarf_diename(&scopes[i]);
            write_place(name != NULL ? name : symbol, file, line, false, shared, context);
            done = true;
            break;
        default: break;
        }
    }
    free(scopes);
    if (done) return;
    symbol = dwfl_module_addrinfo(module, address, &within, &unused, NULL, NULL, NULL);
    write_place(symbol, file, line, false, shared, context);
}

int places_build_id(Dwfl_Module *module, char text[65]) {
    const unsigned char *bits;
    GElf_Addr place;
    int length = dwfl_module_build_id(module, &bits, &place);
    if (length <= 0) return 0;
    if (length > 32) length = 32;
    for (int i = 0; i < length; i++) snprintf(text + 2 * i, 3, "%02x", bits[i]);
    return 1;
}
