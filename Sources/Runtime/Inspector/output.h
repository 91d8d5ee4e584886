/* output.h - JSON on standard output. Text from processes and files may be anything: it is repaired to UTF-8. */
#ifndef PAWL_INSPECT_OUTPUT_H
#define PAWL_INSPECT_OUTPUT_H

#include <stdint.h>

/* Begins a member of the object that is open: a comma where one is due, then the name. NULL: an element of a list. */
void out_key(const char *name);
void out_open(const char *name, char bracket);
void out_close(char bracket);
/* NULL text is null. */
void out_text(const char *name, const char *text);
void out_number(const char *name, int64_t number);
/* As text, "0x…": a JSON number is a double to most readers. */
void out_address(const char *name, uint64_t address);
void out_true(const char *name);

#endif
