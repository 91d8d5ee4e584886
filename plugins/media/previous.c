/* previous.c - reads back what media.c writes: {"path":"…","size":…,"mtime_us":… first, in this order, anything behind. */
#include "previous.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char head[] = "{\"path\":\"";

/* The escapes that text_string writes. Behind the closing quote, or NULL. */
static const char *unescape(const char *from, char *to) {
    for (; *from != '"'; from++) {
        if (*from == 0) return NULL;
        if (*from != '\\') {
            *to++ = *from;
            continue;
        }
        from++;
        if (*from == '"' || *from == '\\') *to++ = *from;
        else if (strncmp(from, "u00", 3) == 0) {
            char digits[3] = {from[3], from[3] == 0 ? 0 : from[4], 0}, *end;
            *to = (char)strtoul(digits, &end, 16);
            if (end != digits + 2 || *to == 0) return NULL;
            to++;
            from += 4;
        } else return NULL;
    }
    *to = 0;
    return from + 1;
}

static int parse(previous *p) {
    if (p->length < 3 || p->line[p->length - 1] != '\n' || p->line[p->length - 2] != '}') return 0; /* cut off */
    if (strncmp(p->line, head, sizeof head - 1) != 0 || strlen(p->line) != p->length) return 0;
    char *path = malloc(p->length);
    int behind = 0;
    if (path == NULL) return 0;
    const char *rest = unescape(p->line + sizeof head - 1, path);
    if (rest == NULL || sscanf(rest, ",\"size\":%" SCNu64 ",\"mtime_us\":%" SCNd64 "%n", &p->size, &p->mtime_us, &behind) != 2 || behind == 0) {
        free(path);
        return 0;
    }
    p->has_sha256 = strncmp(rest + behind, ",\"sha256\":\"", 11) == 0;
    p->path = path;
    return 1;
}

int previous_open(previous *p, const char *path) {
    *p = (previous){0};
    p->file = fopen(path, "re");
    if (p->file == NULL) return errno == ENOENT ? 0 : errno;
    previous_next(p);
    return 0;
}

void previous_next(previous *p) {
    free(p->path);
    p->path = NULL;
    for (ssize_t got; p->file != NULL && (got = getline(&p->line, &p->room, p->file)) > 0;) {
        p->length = (size_t)got;
        if (parse(p)) return;
        p->ignored++;
    }
}

void previous_close(previous *p) {
    if (p->file != NULL) fclose(p->file);
    free(p->line);
    free(p->path);
    *p = (previous){0};
}
