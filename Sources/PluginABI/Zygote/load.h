/* load.h - one plugin: checked, loaded, asked for its descriptor, initialised. */
#ifndef PAWL_LOAD_H
#define PAWL_LOAD_H

#include "json.h"
#include "zygote.h"

#define LOAD_MESSAGE_MAX 4096

/* A handler as checked; text is the plugin's own, immortal. */
typedef struct loaded_handler {
    const char *name;
    void *user;
    int32_t (*run)(void *user, pawl_attempt *attempt, pawl_bytes args);
    int32_t (*reset)(void *user); /* or NULL */
} loaded_handler;

typedef struct loaded_plugin {
    void *library;      /* of dlopen; never closed */
    pawl_plugin plugin; /* copy of the descriptor, missing members zero */
    loaded_handler *handlers;
    void (*cancelled)(pawl_attempt *attempt); /* of extension pawl.cancel/1, or NULL */
    uint64_t load_ns;   /* dlopen + entry + init + prefork */
    text manifest;      /* JSON */
} loaded_plugin;

typedef struct load_refusal {
    uint32_t reason; /* pawl_refusal */
    char message[LOAD_MESSAGE_MAX];
} load_refusal;

/* Loads the image at `path`, whose size must be `bytes` (0: any). True, or false and *refusal is filled. What the
 * plugin does in its constructors, entry, init and prefork may end this process. */
bool load_plugin(const char *path, uint64_t bytes, loaded_plugin *loaded, load_refusal *refusal);

#endif
