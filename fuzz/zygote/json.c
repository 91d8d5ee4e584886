/* json.c - the args, which come from whoever may enqueue: checked, walked, unescaped. */
#include "fuzz.h"

#include "json.h"

static void walk(const char *whole, size_t length, int depth) {
    json_walk items = json_begin(whole, length);
    for (json_item item; json_next(&items, &item);) {
        must(item.value >= whole && item.value + item.value_length <= whole + length, "a value within its text");
        json_type type = json_type_of(item.value);
        must(type != JSON_INVALID, "a value of a kind");
        if (item.key != NULL) {
            char *plain = malloc(item.key_length + 1);
            must(json_unescape(item.key, item.key_length, plain) <= item.key_length, "an unescaped key");
            free(plain);
        }
        if (type == JSON_STRING) {
            char *plain = malloc(item.value_length);
            must(item.value_length >= 2, "a string with its quotes");
            size_t size = json_unescape(item.value + 1, item.value_length - 2, plain);
            text again = {0};
            text_add_json(&again, plain, size);
            must(json_check(again.bytes, again.length) == JSON_STRING, "a string that was escaped again");
            free(again.bytes);
            free(plain);
        }
        if ((type == JSON_OBJECT || type == JSON_ARRAY) && depth < 8) walk(item.value, item.value_length, depth + 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    /* A copy of the very size, so that a read beyond it shows. */
    char *copy = malloc(length == 0 ? 1 : length);
    memcpy(copy, bytes, length);
    size_t bad;
    json_type type = json_check_at(copy, length, &bad);
    must(type != JSON_INVALID || bad <= length, "a fault within its text");
    if (type == JSON_OBJECT || type == JSON_ARRAY) walk(copy, length, 0);
    free(copy);
    return 0;
}
