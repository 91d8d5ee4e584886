/* main.c - which of its faces pawl-zygote shows. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "caps.h"
#include "foreground.h"
#include "marker.h"
#include "resume.h"
#include "serve.h"

#ifndef PAWL_VERSION
#define PAWL_VERSION "unknown"
#endif

int main(int argc, char **argv) {
    bool resumes = argc == 2 && strcmp(argv[1], RESUME_ARGUMENT) == 0;
    if (argc == 1 || resumes) marker_reserve(argv);
    if (argc == 1) zygote_serve();
    if (resumes) zygote_resume(STDIN_FILENO);
    if (argc >= 5 && argc <= 6 && strcmp(argv[1], "--foreground") == 0) foreground(argv + 2);
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("pawl-zygote %s (ABI %u.%u, wire %u)\n", PAWL_VERSION, PAWL_ABI_MAJOR, PAWL_ABI_MINOR,
               PAWL_WIRE_VERSION);
        return 0;
    }
    if ((argc == 2 || argc == 3) && strcmp(argv[1], "--probe") == 0) return caps_probe(argc == 3 ? argv[2] : NULL);
    fprintf(stderr, "usage: pawl-zygote [--version | --probe [CGROUP_DIRECTORY] |\n"
                    "                    --foreground FILE HANDLER ARGS_FILE [CONFIGURATION_FILE]]\n"
                    "Without arguments it serves a Pawl host on descriptor 3: not to be started by hand.\n");
    return 64;
}
