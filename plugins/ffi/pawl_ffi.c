/*
 * pawl_ffi.c - any exported C function as a job, by its declared types (libffi).
 *
 * An ordinary plugin: it reads its manifest from the host's configuration text at the entry, prepares every call there, loads
 * the library in init, and makes one handler per function. docs/plugins.md describes the manifest. Nothing can tell a wrong
 * declaration from a right one; a wrong call hurts its own attempt only, because every attempt has its own process. There are
 * no callbacks: libffi's executable memory would be shared by all children of the zygote.
 */
#include "call.h"
#include "manifest.h"

#include <stdio.h>

static arena immortal;
static manifest *loaded;

static void complain(const pawl_host *host, const char *words)
{
    pawl_str message = {words, 0};
    while (words[message.len] != '\0') {
        message.len++;
    }
    host->log(NULL, PAWL_LOG_ERROR, message, PAWL_NO_STR);
}

static int32_t init(const pawl_host *host)
{
    const char *error = manifest_bind(&immortal, loaded);
    if (error != NULL) {
        complain(host, error);
        return PAWL_E_FAILED;
    }
    return PAWL_OK;
}

static const pawl_plugin *describe(void)
{
    pawl_handler *handlers = arena_alloc(&immortal, loaded->function_count * sizeof(pawl_handler));
    for (unsigned i = 0; i < loaded->function_count; i++) {
        function *function = &loaded->functions[i];
        handlers[i].struct_size = sizeof(pawl_handler);
        handlers[i].name = function->name;
        handlers[i].description = function->description;
        handlers[i].args_schema = function->args_schema;
        handlers[i].result_schema = function->result_schema;
        handlers[i].user = function;
        handlers[i].run = call_function;
    }
    pawl_plugin *plugin = arena_alloc(&immortal, sizeof(pawl_plugin));
    plugin->struct_size = sizeof(pawl_plugin);
    plugin->abi_major = PAWL_ABI_MAJOR;
    plugin->abi_minor = PAWL_ABI_MINOR;
    plugin->handler_size = sizeof(pawl_handler);
    plugin->name = loaded->plugin;
    plugin->version = loaded->version;
    plugin->handlers = handlers;
    plugin->handler_count = loaded->function_count;
    plugin->init = init;
    return plugin;
}

const pawl_plugin *pawl_plugin_entry(const pawl_host *host, uint32_t abi_major, uint32_t abi_minor, uint32_t host_size)
{
    (void)abi_minor;
    if (abi_major != PAWL_ABI_MAJOR || host_size < sizeof(pawl_host)) {
        return NULL;
    }
    const pawl_ext_config *config = host->get_extension(host, PAWL_EXT_CONFIG);
    pawl_str manifest_text = config == NULL ? PAWL_NO_STR : config->text();
    if (manifest_text.len == 0) {
        complain(host, "pawl-ffi needs a manifest: put NAME.pawl.json into the plugin directory");
        return NULL;
    }
    const char *error = NULL;
    loaded = manifest_read(&immortal, manifest_text.ptr, manifest_text.len, &error);
    if (loaded == NULL) {
        complain(host, error);
        return NULL;
    }
    return describe();
}
