/* facts.c - see facts.h. */
#include "facts.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "calls.h"
#include "output.h"

#define FILES_MAX 256
#define CHILDREN_MAX 256

static ssize_t read_small(const char *path, char *bytes, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return -1;
    ssize_t length = read(fd, bytes, size - 1);
    close(fd);
    if (length < 0) return -1;
    bytes[length] = 0;
    return length;
}

static const char *state_word(char state) {
    switch (state) {
    case 'R': return "running";
    case 'S': return "sleeping";
    case 'D': return "uninterruptible";
    case 'T': return "stopped";
    case 't': return "stopped by a debugger";
    case 'Z': return "zombie";
    case 'I': return "idle";
    default: return "unknown";
    }
}

/* Field numbers as in proc(5), counted from the one after the name, which is 3. */
static bool stat_fields(const char *path, char *name, size_t name_size, char *state, unsigned long long fields[52]) {
    char text[2048];
    if (read_small(path, text, sizeof text) <= 0) return false;
    char *open = strchr(text, '('), *close = strrchr(text, ')');
    if (open == NULL || close == NULL || close[1] == 0 || close[2] == 0) return false;
    *close = 0;
    snprintf(name, name_size, "%s", open + 1);
    *state = close[2];
    char *at = close + 3;
    memset(fields, 0, 52 * sizeof fields[0]);
    for (int i = 4; i < 52 && *at != 0; i++) fields[i] = strtoull(at, &at, 10);
    return true;
}

static int64_t cpu_ms(const unsigned long long fields[52]) {
    return (int64_t)((fields[14] + fields[15]) * 1000 / (unsigned long long)sysconf(_SC_CLK_TCK));
}

/* The two ends of a socket by its inode, from one table of /proc. */
static bool find_socket(pid_t pid, const char *table, unsigned long inode, char *words, size_t size) {
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%d/net/%s", pid, table);
    FILE *file = fopen(path, "re");
    if (file == NULL) return false;
    bool found = false, first = true;
    while (!found && fgets(line, sizeof line, file) != NULL) {
        if (first) {
            first = false;
            continue;
        }
        if (strcmp(table, "unix") == 0) {
            unsigned long number = 0;
            char where[256] = "";
            if (sscanf(line, "%*s %*s %*s %*s %*s %*s %lu %255[^\n]", &number, where) < 1 || number != inode) continue;
            snprintf(words, size, "unix socket%s%s", where[0] == 0 ? "" : " ", where);
            found = true;
            continue;
        }
        char local[64], remote[64];
        unsigned state = 0, local_port = 0, remote_port = 0;
        unsigned long number = 0;
        if (sscanf(line, "%*d: %63[0-9A-F]:%x %63[0-9A-F]:%x %x %*s %*s %*s %*u %*d %lu", local, &local_port, remote,
                   &remote_port, &state, &number) != 6 || number != inode)
            continue;
        if (strlen(local) == 8) { /* IPv4, in the machine's order */
            unsigned long a = strtoul(local, NULL, 16), b = strtoul(remote, NULL, 16);
            snprintf(words, size, "%s %lu.%lu.%lu.%lu:%u -> %lu.%lu.%lu.%lu:%u (state %u)", table, a & 255, a >> 8 & 255,
                     a >> 16 & 255, a >> 24, local_port, b & 255, b >> 8 & 255, b >> 16 & 255, b >> 24, remote_port, state);
        } else snprintf(words, size, "%s %s:%u -> %s:%u (state %u)", table, local, local_port, remote, remote_port, state);
        found = true;
    }
    fclose(file);
    return found;
}

static void write_file(pid_t pid, int fd) {
    static const char *const tables[] = {"tcp", "tcp6", "udp", "udp6", "unix"};
    char path[64], target[1024], words[512], info[512];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, fd);
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length < 0) return;
    target[length] = 0;
    out_open(NULL, '{');
    out_number("fd", fd);
    unsigned long inode;
    const char *what = target;
    if (sscanf(target, "socket:[%lu]", &inode) == 1)
        for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
            if (find_socket(pid, tables[i], inode, words, sizeof words)) {
                what = words;
                break;
            }
    out_text("target", what);
    snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", pid, fd);
    long long position;
    if (target[0] == '/' && read_small(path, info, sizeof info) > 0 && sscanf(info, "pos: %lld", &position) == 1)
        out_number("position", position);
    out_close('}');
}

static void write_files(pid_t pid) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    DIR *files = opendir(path);
    if (files == NULL) return;
    out_open("files", '[');
    struct dirent *entry;
    int count = 0;
    while ((entry = readdir(files)) != NULL) {
        if (!isdigit((unsigned char)entry->d_name[0])) continue;
        if (count++ < FILES_MAX) write_file(pid, atoi(entry->d_name));
    }
    out_close(']');
    if (count > FILES_MAX) out_number("files_left_out", count - FILES_MAX);
    closedir(files);
}

static void write_children(pid_t pid) {
    char path[64], text[8192];
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *tasks = opendir(path);
    if (tasks == NULL) return;
    out_open("children", '[');
    struct dirent *entry;
    int count = 0;
    while ((entry = readdir(tasks)) != NULL) {
        if (!isdigit((unsigned char)entry->d_name[0])) continue;
        char list[128];
        snprintf(list, sizeof list, "/proc/%d/task/%d/children", pid, atoi(entry->d_name));
        if (read_small(list, text, sizeof text) <= 0) continue;
        char *at = text, *end;
        for (long child; (child = strtol(at, &end, 10)), end != at; at = end)
            if (count++ < CHILDREN_MAX) out_number(NULL, child);
    }
    out_close(']');
    closedir(tasks);
}

void facts_process(pid_t pid) {
    char path[64], text[4096], name[64], state;
    unsigned long long fields[52];
    snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    ssize_t length = read_small(path, text, sizeof text);
    for (ssize_t i = 0; i + 1 < length; i++)
        if (text[i] == 0) text[i] = ' ';
    if (length > 0) out_text("command", text);
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    if (!stat_fields(path, name, sizeof name, &state, fields)) {
        out_text("error", "the process is gone");
        return;
    }
    out_text("name", name);
    out_text("state", state_word(state));
    out_number("parent", (int64_t)fields[4]);
    out_number("cpu_ms", cpu_ms(fields));
    out_number("thread_count", (int64_t)fields[20]);
    out_number("rss_bytes", (int64_t)fields[24] * sysconf(_SC_PAGESIZE));
    write_files(pid);
    write_children(pid);
}

static void read_thread(pid_t pid, thread_facts *thread) {
    char path[96], text[512], state;
    unsigned long long fields[52];
    snprintf(path, sizeof path, "/proc/%d/task/%d/stat", pid, thread->tid);
    if (stat_fields(path, thread->name, sizeof thread->name, &state, fields)) {
        thread->state = state_word(state);
        thread->cpu_ms = cpu_ms(fields);
    }
    snprintf(path, sizeof path, "/proc/%d/task/%d/wchan", pid, thread->tid);
    if (read_small(path, text, sizeof text) > 0 && strcmp(text, "0") != 0)
        snprintf(thread->wait_channel, sizeof thread->wait_channel, "%.63s", text);
    snprintf(path, sizeof path, "/proc/%d/task/%d/syscall", pid, thread->tid);
    if (read_small(path, text, sizeof text) > 0 && isdigit((unsigned char)text[0])) thread->system_call = atoi(text);
}

size_t facts_threads(pid_t pid, thread_facts *threads, size_t capacity) {
    char path[64];
    size_t count = 0;
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *tasks = opendir(path);
    if (tasks == NULL) return 0;
    struct dirent *entry;
    while (count < capacity && (entry = readdir(tasks)) != NULL) {
        if (!isdigit((unsigned char)entry->d_name[0])) continue;
        threads[count] = (thread_facts){.tid = atoi(entry->d_name), .state = "unknown", .system_call = -1};
        read_thread(pid, &threads[count++]);
    }
    closedir(tasks);
    return count;
}

void facts_write_thread(const thread_facts *thread) {
    out_text("name", thread->name);
    out_text("state", thread->state);
    if (thread->wait_channel[0] != 0) out_text("wchan", thread->wait_channel);
    if (thread->system_call >= 0) {
        char number[24];
        const char *name = call_name(thread->system_call);
        snprintf(number, sizeof number, "call %d", thread->system_call);
        out_text("syscall", name != NULL ? name : number);
    }
    out_number("cpu_ms", thread->cpu_ms);
}
