/* columns.h - the names of the columns, ready to be written: {"name": for the first, ,"name": for the others. */
#ifndef CSV_COLUMNS_H
#define CSV_COLUMNS_H

#include "options.h"
#include "reader.h"

typedef struct columns {
    char *bytes;    /* all prefixes, one behind the other */
    size_t *ends;   /* of each prefix */
    size_t count;
} columns;

/* From the names in the args. */
int32_t columns_from_args(pawl_attempt *attempt, const options *o, columns *c);
/* From the first record: its fields, or column_1, column_2, ... where it is data. Empty names become column_N, names
 * that occur again get _2, _3, ... */
int32_t columns_from_record(pawl_attempt *attempt, const options *o, const record *first, columns *c);
void columns_free(columns *c);

#endif
