/* position.c - extension pawl.position/1 of plugins, which PluginKit has. */
#include "position.h"

#include <stddef.h>
#include <string.h>

#include "frames.h"

#define EXTENSION "pawl.position/1"
#define FILE_MAX_BYTES 1024

typedef struct position_table {
    uint32_t struct_size;
    uint32_t reserved0;
    /* Terminated and immortal; NULL before the handler's first call. Any thread. */
    const char *(*position)(uint32_t *line);
} position_table;

static const position_table *table;

void position_open(const loaded_plugin *plugin) {
    table = plugin->plugin.get_extension == NULL ? NULL : plugin->plugin.get_extension(EXTENSION);
    if (table != NULL && (table->struct_size < sizeof *table || table->position == NULL)) table = NULL;
}

void position_tell(void) {
    if (table == NULL) return;
    pawl_f_position body = {0};
    const char *file = table->position(&body.line);
    if (file == NULL) return;
    size_t length = strnlen(file, FILE_MAX_BYTES);
    struct iovec parts[2] = {{&body, sizeof body}, {(void *)(uintptr_t)file, utf8_cut(file, length, FILE_MAX_BYTES)}};
    body.file_length = (uint32_t)parts[1].iov_len;
    /* Full: then the host reads something else first, and asks again. */
    if (!frames_try_send(PAWL_F_POSITION, PAWL_FLAG_OPTIONAL, parts, 2)) return;
}
