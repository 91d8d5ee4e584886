/* gearman PORT [COUNT]: puts COUNT background jobs into a local gearmand; without COUNT it works on them until it is killed. */
#include <libgearman/gearman.h>
#include <stdio.h>
#include <stdlib.h>

static gearman_return_t noop(gearman_job_st *job, void *context) {
    (void)job;
    (void)context;
    return GEARMAN_SUCCESS;
}

static int work(in_port_t port) {
    gearman_worker_st *worker = gearman_worker_create(NULL);
    if (worker == NULL || gearman_failed(gearman_worker_add_server(worker, "127.0.0.1", port))) return 1;
    if (gearman_failed(gearman_worker_define_function(worker, "noop", 4, gearman_function_create(noop), 0, NULL))) return 1;
    while (gearman_success(gearman_worker_work(worker))) {}
    return 1;
}

static int enqueue(in_port_t port, long count) {
    gearman_client_st *client = gearman_client_create(NULL);
    if (client == NULL || gearman_failed(gearman_client_add_server(client, "127.0.0.1", port))) return 1;
    for (long n = 0; n < count; n++) {
        gearman_return_t code;
        /* Without a name of its own each is a job for itself. A thousand tasks share one exchange. */
        if (gearman_client_add_task_background(client, NULL, NULL, "noop", NULL, NULL, 0, &code) == NULL) return 1;
        if ((n + 1) % 1000 != 0 && n + 1 < count) continue;
        if (gearman_failed(gearman_client_run_tasks(client))) {
            fprintf(stderr, "%s\n", gearman_client_error(client));
            return 1;
        }
        gearman_client_task_free_all(client);
    }
    return 0;
}

int main(int count, char **words) {
    if (count < 2) return 64;
    in_port_t port = (in_port_t)atoi(words[1]);
    return count > 2 ? enqueue(port, atol(words[2])) : work(port);
}
