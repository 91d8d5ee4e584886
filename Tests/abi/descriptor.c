/* descriptor.c - a plugin whose descriptor is as its configuration text says: what no compiler would write.
 *
 * The text: words "OBJECT OFFSET WIDTH VALUE", one change each. OBJECT: p the plugin, h the first handler, l its limits.
 * VALUE: a number, or @ and a place: n NULL, w an address that is mapped by nobody, k one of the kernel's, e the last byte before
 * an unmapped page, u a text without an end before an unmapped page, t a text that is no UTF-8, s a long text, m the plugin itself
 * plus one byte. "r 0 0 VALUE" is what the entry returns. */
#define _GNU_SOURCE
#include <pawl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static int32_t run(void *user, pawl_attempt *attempt, pawl_bytes args) {
    (void)user, (void)args;
    return attempt->host->result_json(attempt, PAWL_STR("true"));
}

static pawl_limits limits = {.struct_size = sizeof limits, .attempts = 3};
static pawl_handler handlers[2] = {{.struct_size = sizeof(pawl_handler), .name = "fuzzed.one", .limits = &limits, .run = run,
                                    .args_schema = "{\"type\":\"object\"}"},
                                   {.struct_size = sizeof(pawl_handler), .name = "fuzzed.two", .run = run}};
static pawl_plugin plugin = {.struct_size = sizeof plugin, .abi_major = PAWL_ABI_MAJOR, .abi_minor = PAWL_ABI_MINOR,
                             .handler_size = sizeof(pawl_handler), .name = "fuzzed", .version = "1", .handlers = handlers,
                             .handler_count = 2};
static char long_text[1 << 20];

static uint64_t place(char what) {
    char *pages;
    switch (what) {
    case 'n': return 0;
    case 'w': return UINT64_C(0x1000000010);
    case 'k': return UINT64_C(0xffffffff81000000);
    case 'm': return (uint64_t)(uintptr_t)&plugin + 1;
    case 't': return (uint64_t)(uintptr_t)"a.\xff\xfe";
    case 's': return (uint64_t)(uintptr_t)memset(long_text, 'a', sizeof long_text - 1);
    default:
        pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memset(pages, 'a', 4096);
        munmap(pages + 4096, 4096);
        return (uint64_t)(uintptr_t)pages + (what == 'e' ? 4095 : 4000);
    }
}

const pawl_plugin *pawl_plugin_entry(const pawl_host *host, uint32_t abi_major, uint32_t abi_minor, uint32_t host_size) {
    const pawl_ext_config *config = host->get_extension(host, PAWL_EXT_CONFIG);
    const pawl_plugin *answer = &plugin;
    char text[4096], object, value[64];
    unsigned offset, width;
    int used;
    (void)abi_major, (void)abi_minor, (void)host_size;
    snprintf(text, sizeof text, "%.*s", (int)config->text().len, config->text().ptr);
    for (char *at = text; sscanf(at, " %c %u %u %63s%n", &object, &offset, &width, value, &used) == 4; at += used) {
        uint64_t bits = value[0] == '@' ? place(value[1]) : strtoull(value, NULL, 0);
        char *base = object == 'p' ? (char *)&plugin : object == 'h' ? (char *)handlers : (char *)&limits;
        if (object == 'r') answer = (const pawl_plugin *)(uintptr_t)bits;
        else memcpy(base + offset, &bits, width);
    }
    return answer;
}
