#ifndef PAWL_INSPECT_SYMBOLIZE_H
#define PAWL_INSPECT_SYMBOLIZE_H
/* Reads requests from standard input until its end; returns an exit code. */
int symbolize(void);
#endif
