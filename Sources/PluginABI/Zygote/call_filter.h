/* call_filter.h - which system calls a child has. */
#ifndef PAWL_CALL_FILTER_H
#define PAWL_CALL_FILTER_H

#include <stdbool.h>
#include <sys/types.h>

typedef struct call_filter {
    bool network;      /* sockets of the Internet, local ones and routing questions are allowed */
    bool loopback;     /* else, sockets of the Internet: in a network of its own there is nobody else */
    bool own_user;     /* nobody else has the child's user: what rights over one's own files and processes allow is its own
                        * business */
    bool cuts_files;   /* Landlock does not know of cutting files off (below version 3): the filter forbids it by name */
    pid_t self;        /* of the process that may read its own memory as another's, and set its own limits */
} call_filter;

/* Puts the filter over this thread and all that come from it. Needs no_new_privs. False with errno. */
bool call_filter_enter(const call_filter *filter);
/* Whether the kernel takes filters. False with errno. */
bool call_filter_is_there(void);

#endif
