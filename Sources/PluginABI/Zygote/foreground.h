/* foreground.h - one attempt in this very process, without host, fork or limits: for debuggers and tracers. */
#ifndef PAWL_FOREGROUND_H
#define PAWL_FOREGROUND_H

/* words: the plugin's file, the handler's name, a file with the args, and (or NULL) a file with the plugin's configuration.
 * The rest comes from the environment as a child has it: PAWL_RUN_ID, PAWL_ATTEMPT, PAWL_JOB, TRACEPARENT; the working
 * directory is the attempt's own. Log and progress go to stderr, the result to stdout. Exits 0 after a result or a snooze, 1
 * after a failure, 64 for words that do not fit, EXIT_REFUSED where the plugin is refused. SIGINT and SIGTERM cancel; the
 * second one ends it. */
_Noreturn void foreground(char **words);

#endif
