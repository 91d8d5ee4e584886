/* marker.c - see marker.h. */
#include "marker.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME "PAWL_CHILD"
#define ROOM 160 /* bytes of its value */

static char *room;

void marker_reserve(char **argv) {
    char blank[ROOM + 1];
    memset(blank, '.', ROOM);
    blank[ROOM] = 0;
    char *given = getenv(NAME);
    if (given != NULL && strlen(given) == ROOM) {
        room = given;
        return;
    }
    /* Where it does not work, nothing is lost but the marker. */
    if (setenv(NAME, blank, 1) == 0) execv("/proc/self/exe", argv);
}

void marker_write(const char *entries, size_t length) {
    for (const char *at = entries; room != NULL && at < entries + length; at += strlen(at) + 1) {
        if (strncmp(at, NAME "=", sizeof NAME) != 0) continue;
        size_t size = strlen(at + sizeof NAME);
        if (size > ROOM) return;
        memset(room, 0, ROOM);
        memcpy(room, at + sizeof NAME, size);
        return;
    }
}
