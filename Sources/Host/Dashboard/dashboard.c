#include "dashboard.h"

#include <string.h>

// The page's files are pulled in by the assembler: embedding them as Swift array literals takes the compiler most of a
// minute, `.incbin` takes nothing. The assembler looks below the include path of this target, hence "../assets".
//
// `__has_include` does two things: a missing file is a clear error, and the file lands in the compiler's dependency
// list, so that editing the page rebuilds this target (`.incbin` alone would go unnoticed).
#if !__has_include("../assets/index.html") || !__has_include("../assets/app.css") || \
    !__has_include("../assets/app.js") || \
    !__has_include("../assets/ask.js") || \
    !__has_include("../assets/attempt.js") || \
    !__has_include("../assets/chart.js") || \
    !__has_include("../assets/cleanup.js") || \
    !__has_include("../assets/crashes.js") || \
    !__has_include("../assets/detail.js") || \
    !__has_include("../assets/diagnosis.js") || \
    !__has_include("../assets/dialogs.js") || \
    !__has_include("../assets/page.js") || \
    !__has_include("../assets/panels.js") || \
    !__has_include("../assets/plugin.js") || \
    !__has_include("../assets/recent.js") || \
    !__has_include("../assets/run-dialog.js") || \
    !__has_include("../assets/runs.js") || \
    !__has_include("../assets/safety.js") || \
    !__has_include("../assets/schedule-editor.js") || \
    !__has_include("../assets/schedule-form.js") || \
    !__has_include("../assets/server.js") || \
    !__has_include("../assets/view.js") || \
    !__has_include("../assets/icon.svg")
#error "a file of the dashboard is missing from Sources/Host/Dashboard/assets"
#endif

#define EMBED(symbol, file)                                                                                            \
    __asm__(".pushsection .rodata\n"                                                                                   \
            ".balign 16\n"                                                                                             \
            "pawl_dashboard_" #symbol ":\n"                                                                            \
            ".incbin \"../assets/" file "\"\n"                                                                         \
            "pawl_dashboard_" #symbol "_end:\n"                                                                        \
            ".byte 0\n"                                                                                                \
            ".popsection\n");                                                                                          \
    extern const uint8_t pawl_dashboard_##symbol[] __attribute__((visibility("hidden")));                              \
    extern const uint8_t pawl_dashboard_##symbol##_end[] __attribute__((visibility("hidden")))

EMBED(index, "index.html");
EMBED(css, "app.css");
EMBED(app, "app.js");
EMBED(ask, "ask.js");
EMBED(attempt, "attempt.js");
EMBED(chart, "chart.js");
EMBED(cleanup, "cleanup.js");
EMBED(crashes, "crashes.js");
EMBED(detail, "detail.js");
EMBED(diagnosis, "diagnosis.js");
EMBED(dialogs, "dialogs.js");
EMBED(page, "page.js");
EMBED(panels, "panels.js");
EMBED(plugin, "plugin.js");
EMBED(recent, "recent.js");
EMBED(run_dialog, "run-dialog.js");
EMBED(runs, "runs.js");
EMBED(safety, "safety.js");
EMBED(schedule_editor, "schedule-editor.js");
EMBED(schedule_form, "schedule-form.js");
EMBED(server, "server.js");
EMBED(view, "view.js");
EMBED(icon, "icon.svg");

// The length is a difference of two addresses, which C does not accept in a constant initialiser: a row keeps both.
struct row {
    const char *name;
    const char *content_type;
    const uint8_t *start;
    const uint8_t *end;
};

#define ROW(symbol, file, type) {file, type, pawl_dashboard_##symbol, pawl_dashboard_##symbol##_end}

static const struct row rows[] = {
    ROW(index, "index.html", "text/html; charset=utf-8"),
    ROW(css, "app.css", "text/css; charset=utf-8"),
    ROW(app, "app.js", "text/javascript; charset=utf-8"),
    ROW(ask, "ask.js", "text/javascript; charset=utf-8"),
    ROW(attempt, "attempt.js", "text/javascript; charset=utf-8"),
    ROW(chart, "chart.js", "text/javascript; charset=utf-8"),
    ROW(cleanup, "cleanup.js", "text/javascript; charset=utf-8"),
    ROW(crashes, "crashes.js", "text/javascript; charset=utf-8"),
    ROW(detail, "detail.js", "text/javascript; charset=utf-8"),
    ROW(diagnosis, "diagnosis.js", "text/javascript; charset=utf-8"),
    ROW(dialogs, "dialogs.js", "text/javascript; charset=utf-8"),
    ROW(page, "page.js", "text/javascript; charset=utf-8"),
    ROW(panels, "panels.js", "text/javascript; charset=utf-8"),
    ROW(plugin, "plugin.js", "text/javascript; charset=utf-8"),
    ROW(recent, "recent.js", "text/javascript; charset=utf-8"),
    ROW(run_dialog, "run-dialog.js", "text/javascript; charset=utf-8"),
    ROW(runs, "runs.js", "text/javascript; charset=utf-8"),
    ROW(safety, "safety.js", "text/javascript; charset=utf-8"),
    ROW(schedule_editor, "schedule-editor.js", "text/javascript; charset=utf-8"),
    ROW(schedule_form, "schedule-form.js", "text/javascript; charset=utf-8"),
    ROW(server, "server.js", "text/javascript; charset=utf-8"),
    ROW(view, "view.js", "text/javascript; charset=utf-8"),
    ROW(icon, "icon.svg", "image/svg+xml"),
};

size_t dashboard_asset_count(void) {
    return sizeof rows / sizeof rows[0];
}

bool dashboard_asset_at(size_t index, struct dashboard_asset *asset) {
    if (index >= dashboard_asset_count()) return false;
    const struct row *row = &rows[index];
    *asset = (struct dashboard_asset){
        .name = row->name,
        .content_type = row->content_type,
        .bytes = row->start,
        .length = (size_t)(row->end - row->start),
    };
    return true;
}

bool dashboard_find(const char *name, struct dashboard_asset *asset) {
    for (size_t index = 0; index < dashboard_asset_count(); index++) {
        if (strcmp(rows[index].name, name) == 0) return dashboard_asset_at(index, asset);
    }
    return false;
}
