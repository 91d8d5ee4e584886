/* exit_note.h - what a handler that calls exit() leaves for the host. */
#ifndef PAWL_EXIT_NOTE_H
#define PAWL_EXIT_NOTE_H

/* In the child: a call of exit() writes errno and the largest size of the address space into the crash pipe, from which
 * the host sees that memory was short. _exit() does not. */
void exit_note_install(void);

#endif
