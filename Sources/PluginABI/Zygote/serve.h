/* serve.h - the two ways into the zygote's loop. */
#ifndef PAWL_SERVE_H
#define PAWL_SERVE_H

/* From the host's HELLO on descriptor 3. */
_Noreturn void zygote_serve(void);
/* After a plugin that cannot be forked was looked at: `hello` is the descriptor that resume_in_spawn_mode left. */
_Noreturn void zygote_resume(int hello);

#endif
