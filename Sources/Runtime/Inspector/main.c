/* main.c - pawl-inspect: names places in code, says what live processes are doing, and compares typed calls with debug information.
 * For the host, which runs it off its loop; useful by hand as well. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"
#include "symbolize.h"
#include "typed.h"

#define PIDS_MAX 256

static int usage(void) {
    fputs("usage: pawl-inspect symbolize < PLACES\n"
          "       pawl-inspect process [--limit-ms N] PID...\n"
          "       pawl-inspect calls < NAME.pawl.json\n"
          "\n"
          "symbolize  reads lines `path TAB build-id or - TAB file offset in hexadecimal`, prints function, file and line as JSON\n"
          "process    prints threads with their stacks, open files, children and processor time as JSON; sends no signal\n"
          "calls      compares a manifest of C functions with the debug information of its library, prints what it found as JSON\n",
          stderr);
    return 64;
}

static int processes(int argc, char **argv) {
    static pid_t pids[PIDS_MAX];
    size_t count = 0;
    unsigned long limit_ms = 2000;
    char *end;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--limit-ms") == 0 && i + 1 < argc) {
            limit_ms = strtoul(argv[++i], &end, 10);
            if (*end != 0 || limit_ms < 10 || limit_ms > 600000) return usage();
            continue;
        }
        long pid = strtol(argv[i], &end, 10);
        if (*end != 0 || pid < 1 || pid > 4194304 || count == PIDS_MAX) return usage();
        pids[count++] = (pid_t)pid;
    }
    return count == 0 ? usage() : inspect_processes(pids, count, (unsigned)limit_ms);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "symbolize") == 0) return symbolize();
    if (argc == 2 && strcmp(argv[1], "calls") == 0) return typed_calls();
    if (argc >= 3 && strcmp(argv[1], "process") == 0) return processes(argc - 2, argv + 2);
    return usage();
}
