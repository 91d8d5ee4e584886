/* options.h - the args of csv.to_jsonl, checked. */
#ifndef CSV_OPTIONS_H
#define CSV_OPTIONS_H

#include <pawl.h>

#define COLUMNS_MAX 10000

typedef struct options {
    pawl_str input, output; /* absolute paths, terminated */
    char delimiter;
    int quote;              /* a character, or -1: no quoting */
    int32_t header;         /* the first record is names, not data */
    size_t name_count;      /* 0: from the header, or column_1, column_2, ... */
    int32_t strict;
    int32_t has_null;
    pawl_str null_text;     /* an unquoted field of just this text is null */
} options;

extern const pawl_ext_args *args;

/* PAWL_OK, or a failure that has been told. */
int32_t options_read(pawl_attempt *attempt, options *o);

/* Ends the attempt with a code and a formatted message; returns what run() has to return. */
int32_t fail_with(pawl_attempt *attempt, const char *code, int32_t retry, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#define CSV_ARGS_SCHEMA                                                                                               \
    "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"object\",\"properties\":{"              \
    "\"input\":{\"type\":\"string\",\"pattern\":\"^/\","                                                              \
    "\"description\":\"absolute path of the CSV file\"},"                                                             \
    "\"output\":{\"type\":\"string\",\"pattern\":\"^/\","                                                             \
    "\"description\":\"absolute path of the JSON Lines file to write\"},"                                             \
    "\"delimiter\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":1,\"default\":\",\","                           \
    "\"description\":\"one ASCII character\"},"                                                                       \
    "\"quote\":{\"type\":\"string\",\"maxLength\":1,\"default\":\"\\\"\","                                            \
    "\"description\":\"one ASCII character; empty for none\"},"                                                       \
    "\"header\":{\"type\":\"boolean\","                                                                               \
    "\"description\":\"whether the first record is names; true unless names are given\"},"                            \
    "\"names\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"minItems\":1,\"maxItems\":10000,"                \
    "\"description\":\"names of the columns\"},"                                                                      \
    "\"null_text\":{\"type\":\"string\","                                                                             \
    "\"description\":\"an unquoted field of this text becomes null\"},"                                               \
    "\"strict\":{\"type\":\"boolean\",\"default\":false,"                                                             \
    "\"description\":\"fail at the first malformed record instead of skipping it\"}"                                  \
    "},\"required\":[\"input\",\"output\"],\"additionalProperties\":false}"

#define CSV_RESULT_SCHEMA                                                                                             \
    "{\"type\":\"object\",\"properties\":{\"rows\":{\"type\":\"integer\"},\"errors\":{\"type\":\"integer\"},"        \
    "\"repaired\":{\"type\":\"integer\",\"description\":\"fields with bytes that are not UTF-8\"},"                  \
    "\"bytes_in\":{\"type\":\"integer\"},\"bytes_out\":{\"type\":\"integer\"},\"sha256\":{\"type\":\"string\"},"     \
    "\"output\":{\"type\":\"string\"}}}"

#endif
