/* main_queue.c - libdispatch's own two functions for foreign main loops (Foundation uses them too), or the plugin's
 * extension where they are hidden in it. */
#include "main_queue.h"

#include <dlfcn.h>
#include <string.h>

/* ISO C has no cast from a data to a function pointer. */
static bool find(void *library, const char *name, void *function) {
    void *symbol = dlsym(library, name);
    if (symbol != NULL) memcpy(function, &symbol, sizeof symbol);
    return symbol != NULL;
}

main_queue main_queue_open(const loaded_plugin *plugin) {
    const main_queue none = {.port = -1};
    int32_t (*port)(void) = NULL;
    void (*pump)(void) = NULL;
    if ((plugin->plugin.flags & PAWL_PF_NEEDS_MAIN_QUEUE) == 0) return none;
    if (!find(plugin->library, "_dispatch_get_main_queue_port_4CF", &port) ||
        !find(plugin->library, "_dispatch_main_queue_callback_4CF", &pump)) {
        const pawl_ext_main_queue *extension =
            plugin->plugin.get_extension == NULL ? NULL : plugin->plugin.get_extension(PAWL_EXT_MAIN_QUEUE);
        if (extension == NULL || extension->struct_size < sizeof *extension) {
            complain("pawl: the plugin asks for its main queue to be pumped, but offers no way to do so");
            return none;
        }
        port = extension->port;
        pump = extension->pump;
    }
    if (port == NULL || pump == NULL) return none;
    return (main_queue){port(), pump};
}
