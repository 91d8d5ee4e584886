/* walk.c - the regular files below a folder. One folder is open at a time, however deep they are. */
#include "walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "author.h"

typedef struct names {
    char **list;
    size_t count, room;
} names;

char *join_path(const char *folder, const char *name) {
    size_t length = strlen(folder), slash = length > 0 && folder[length - 1] != '/';
    char *path = malloc(length + slash + strlen(name) + 1);
    if (path != NULL) sprintf(path, "%s%s%s", folder, slash ? "/" : "", name);
    return path;
}

int open_regular(const char *path) {
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return -1;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) return fd;
    close(fd);
    errno = EINVAL;
    return -1;
}

void walk_leave_out(walk *w, const char *path) {
    struct stat info;
    if (w->skip_count == sizeof w->skip / sizeof w->skip[0] || stat(path, &info) != 0) return;
    w->skip[w->skip_count++] = (walk_skip){info.st_dev, info.st_ino};
}

static int left_out(const walk *w, const struct stat *info) {
    for (size_t i = 0; i < w->skip_count; i++)
        if (w->skip[i].device == info->st_dev && w->skip[i].inode == info->st_ino) return 1;
    return 0;
}

/* Takes the name, or frees it. */
static int names_add(names *n, char *name) {
    if (name != NULL && n->count == n->room) {
        size_t room = n->room == 0 ? 256 : n->room * 2;
        char **list = realloc(n->list, room * sizeof *list);
        if (list == NULL) {
            free(name);
            return 0;
        }
        n->list = list;
        n->room = room;
    }
    if (name == NULL) return 0;
    n->list[n->count++] = name;
    return 1;
}

static void names_free(names *n) {
    for (size_t i = 0; i < n->count; i++) free(n->list[i]);
    free(n->list);
}

static int32_t no_memory(walk *w) { return fail_with(w->attempt, "out_of_memory", PAWL_RETRY_BY_POLICY, "out of memory for the list of files"); }

static int32_t take_entry(walk *w, names *folders, names *files, const char *folder, int directory, const struct dirent *entry) {
    struct stat info;
    const char *name = entry->d_name;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || (name[0] == '.' && !w->hidden)) return PAWL_OK;
    if (entry->d_type != DT_UNKNOWN && entry->d_type != DT_REG && entry->d_type != DT_DIR) return PAWL_OK;
    if (fstatat(directory, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return PAWL_OK; /* gone meanwhile */
    if (left_out(w, &info)) return PAWL_OK;
    char *path = folder[0] == 0 ? strdup(name) : join_path(folder, name);
    if (S_ISDIR(info.st_mode) && w->recursive) return names_add(folders, path) ? PAWL_OK : no_memory(w);
    if (!S_ISREG(info.st_mode)) {
        free(path);
        return PAWL_OK;
    }
    if (!names_add(files, path)) return no_memory(w);
    w->attempt->host->advance(w->attempt, 1);
    if (files->count > w->limit)
        return fail_with(w->attempt, "too_many_files", PAWL_RETRY_NEVER, "there are more than %zu files", w->limit);
    return PAWL_OK;
}

static int32_t list_one(walk *w, names *folders, names *files, const char *root, const char *folder) {
    char *path = folder[0] == 0 ? strdup(root) : join_path(root, folder);
    int32_t status = PAWL_OK;
    if (path == NULL) return no_memory(w);
    /* The root may be a link; below it none is followed. */
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (folder[0] == 0 ? 0 : O_NOFOLLOW));
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    if (directory == NULL && folder[0] == 0) {
        int error = errno;
        status = fail_with(w->attempt, error == ENOENT ? "file_not_found" : "unreadable", error == EMFILE ? PAWL_RETRY_YES : PAWL_RETRY_NEVER,
                           "cannot read the folder %s: %s", path, strerror(error));
    } else if (directory == NULL) {
        log_line(w->attempt, PAWL_LOG_WARNING, "cannot read the folder %s: %s", path, strerror(errno));
        w->attempt->host->count(w->attempt, PAWL_STR("errors"), 1);
        w->unreadable++;
    }
    free(path);
    if (directory == NULL) {
        if (fd >= 0) close(fd);
        return status;
    }
    for (const struct dirent *entry; status == PAWL_OK && (entry = readdir(directory)) != NULL;) {
        status = w->attempt->host->is_cancelled(w->attempt) ? PAWL_E_CANCELLED : take_entry(w, folders, files, folder, fd, entry);
    }
    closedir(directory);
    return status;
}

static int by_bytes(const void *one, const void *other) { return strcmp(*(char *const *)one, *(char *const *)other); }

int32_t walk_folder(walk *w, const char *root) {
    names folders = {0}, files = {0};
    int32_t status = list_one(w, &folders, &files, root, "");
    while (status == PAWL_OK && folders.count > 0) {
        char *folder = folders.list[--folders.count];
        status = list_one(w, &folders, &files, root, folder);
        free(folder);
    }
    names_free(&folders);
    if (files.count > 0) qsort(files.list, files.count, sizeof *files.list, by_bytes);
    w->files = files.list;
    w->count = files.count;
    w->room = files.room;
    return status;
}

void walk_free(walk *w) {
    names files = {w->files, w->count, w->room};
    names_free(&files);
    w->files = NULL;
    w->count = w->room = 0;
}
