#ifndef PAWL_CLIBPQ_SHIM_H
#define PAWL_CLIBPQ_SHIM_H

#include <libpq-fe.h>

/// Field codes of PQresultErrorField as integers: the header has them as character macros, which Swift does not import.
/// Source: postgres_ext.h.
enum {
    pawl_pg_diag_severity_nonlocalized = PG_DIAG_SEVERITY_NONLOCALIZED,
    pawl_pg_diag_sqlstate = PG_DIAG_SQLSTATE,
    pawl_pg_diag_message_primary = PG_DIAG_MESSAGE_PRIMARY,
    pawl_pg_diag_message_detail = PG_DIAG_MESSAGE_DETAIL,
    pawl_pg_diag_message_hint = PG_DIAG_MESSAGE_HINT,
    pawl_pg_diag_context = PG_DIAG_CONTEXT,
    pawl_pg_diag_schema_name = PG_DIAG_SCHEMA_NAME,
    pawl_pg_diag_table_name = PG_DIAG_TABLE_NAME,
    pawl_pg_diag_column_name = PG_DIAG_COLUMN_NAME,
    pawl_pg_diag_constraint_name = PG_DIAG_CONSTRAINT_NAME
};

#endif
