/* zygote_spawn.c - from a SPAWN frame to a child, or to a monitor that makes one. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "fault.h"
#include "monitor.h"
#include "zygote_state.h"

static void spawn_failed(uint32_t slot, int error, uint32_t stage) {
    pawl_c_spawn_failed failed = {.error = error, .stage = stage};
    control_send(&z.host, PAWL_C_SPAWN_FAILED, slot, &failed, sizeof failed, NULL, 0, NULL, 0);
}

void zygote_spawn_without_room(uint32_t slot) { spawn_failed(slot, EMFILE, 2); }

/* Reads a SPAWN frame. 0 or an errno. The texts stay in the frame's buffer. */
static int read_spawn(const control_message *m, spawn_request *r) {
    if (m->length < sizeof r->limits) return EBADMSG;
    memcpy(&r->limits, m->body, sizeof r->limits);
    size_t left = m->length - sizeof r->limits;
    if (r->limits.environment_length > left) return EBADMSG;
    left -= r->limits.environment_length;
    if (r->limits.directory_length > left) return EBADMSG;
    left -= r->limits.directory_length;
    if (r->limits.sandbox_length != left) return EBADMSG;
    r->slot = m->head.slot;
    r->environment = (char *)(uintptr_t)(m->body + sizeof r->limits);
    const char *path = r->environment + r->limits.environment_length;
    static char directory[PATH_MAX];
    if (r->limits.directory_length >= sizeof directory) return ENAMETOOLONG;
    memcpy(directory, path, r->limits.directory_length);
    directory[r->limits.directory_length] = 0;
    r->directory = directory;
    r->sandbox = path + r->limits.directory_length; /* the buffer ends with a zero byte */
    if (r->limits.environment_length > 0 && r->environment[r->limits.environment_length - 1] != 0) return EBADMSG;
    bool cgroup = (r->limits.flags & PAWL_SPAWN_HAS_CGROUP) != 0;
    bool monitor = (r->limits.flags & PAWL_SPAWN_HAS_MONITOR) != 0;
    if (m->fd_count != 4u + cgroup + monitor) return EBADF;
    for (size_t i = 0; i < m->fd_count; i++) if (m->fds[i] < FIRST_FREE_FD) return EBADF;
    r->data = m->fds[0];
    r->out = m->fds[1];
    r->err = m->fds[2];
    r->crash = m->fds[3];
    r->cgroup = cgroup ? m->fds[4] : -1;
    r->monitor = monitor ? m->fds[m->fd_count - 1] : -1;
    return 0;
}

void zygote_spawn(control_message *m) {
    spawn_request request;
    int error = read_spawn(m, &request);
    uint32_t slot = m->head.slot, stage = 2;
    zygote_run *run = NULL;
    fault_at("zygote.spawn");
    if (error == 0 && runs_find(&z.runs, slot) != NULL) error = EBUSY;
    if (error == 0 && !z.demoted && thread_count() > 1) {
        z.demoted = true;
        zygote_note("the plugin has started threads after loading: from now on every attempt loads it afresh");
    }
    if (error == 0 && (z.retiring || z.demoted)) {
        error = z.retiring ? ESHUTDOWN : EAGAIN;
        stage = 4;
    }
    if (error == 0 && (fault_error("zygote.table") != 0 || (run = runs_add(&z.runs)) == NULL)) error = ENOMEM;
    if (error != 0) {
        control_close_fds(m, 0);
        spawn_failed(slot, error, stage);
        return;
    }
    bool atfork = z.has_plugin && (z.loaded.plugin.flags & PAWL_PF_NEEDS_ATFORK) != 0;
    const child_image image = {z.has_plugin ? &z.loaded : NULL, z.path, z.hello.image_bytes};
    forked process;
    run->slot = slot;
    run->is_monitor = request.monitor >= 0;
    pid_t self = getpid();
    int status = spawn_fork(run->is_monitor ? -1 : request.cgroup, atfork, &process);
    if (status == 1) {
        if (request.monitor >= 0) monitor_main(&request, &image, atfork);
        child_main(&request, &image, self);
    }
    if (status < 0) {
        runs_remove(&z.runs, run);
        control_close_fds(m, 0);
        spawn_failed(slot, -status, request.monitor >= 0 ? 3 : 1);
        return;
    }
    run->leader.process = process;
    fault_at("zygote.forked");
    if (!run->is_monitor) run->cgroup = request.cgroup; /* kept, to end the tree when the host cannot */
    for (size_t i = 0; i < m->fd_count; i++) if (m->fds[i] != run->cgroup) close(m->fds[i]);
    if (!run->is_monitor) keeper_announce(&z.host, slot, &process, 0, -1);
    fault_at("zygote.spawned");
}
