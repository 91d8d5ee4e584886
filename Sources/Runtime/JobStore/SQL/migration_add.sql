-- migration_add: $1 number, $2 name, $3 checksum, $4 breaking, $5 version of the program
INSERT INTO pawl.migration (number, name, checksum, breaking, program) VALUES ($1, $2, $3, $4, $5)
