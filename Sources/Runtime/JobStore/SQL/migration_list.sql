-- migration_list: what the schema has.
SELECT number, name, checksum, breaking FROM pawl.migration ORDER BY number
