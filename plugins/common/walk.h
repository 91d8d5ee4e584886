/* walk.h - the regular files below a folder, in order, for handlers whose total is to be known. */
#ifndef PAWL_PLUGINS_WALK_H
#define PAWL_PLUGINS_WALK_H

#include <pawl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A file or a folder that is left out, e.g. what the handler itself writes. */
typedef struct walk_skip {
    dev_t device;
    ino_t inode;
} walk_skip;

typedef struct walk {
    pawl_attempt *attempt;
    int recursive, hidden; /* hidden: names that begin with a dot too */
    size_t limit;          /* more files are an error */
    walk_skip skip[2];
    size_t skip_count;
    /* Paths relative to the root, sorted by their bytes. */
    char **files;
    size_t count, room;
    uint64_t unreadable; /* folders, told in the log and counted as "errors" */
} walk;

/* Adds what is at the path to what is left out, if there is something. */
void walk_leave_out(walk *w, const char *path);
/* Lists the files below `root`; follows no links. Advances the attempt's progress by one per file. PAWL_OK, PAWL_E_CANCELLED, or a
 * failure that has been told. */
int32_t walk_folder(walk *w, const char *root);
void walk_free(walk *w);
/* "folder/name", to be freed; NULL: no memory. */
char *join_path(const char *folder, const char *name);
/* Opens a regular file to read, of which nothing but a regular file can be had: no pipe hangs, no link is followed. -1: errno is set. */
int open_regular(const char *path);

#endif
