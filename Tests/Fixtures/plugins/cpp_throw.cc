// in C++: its handlers let exceptions out, or do not
#include <pawl.h>
#include <stdexcept>
#include <string>

static int32_t returns(void *, pawl_attempt *attempt, pawl_bytes) {
    try {
        throw std::runtime_error("caught at home");
    } catch (const std::exception &fault) {
        std::string text = std::string("\"") + fault.what() + "\"";
        return attempt->host->result_json(attempt, pawl_str{text.data(), text.size()});
    }
}

static int32_t throws(void *, pawl_attempt *, pawl_bytes) { throw std::runtime_error("nobody catches this"); }

static int32_t gives_up(void *, pawl_attempt *, pawl_bytes) { std::terminate(); }

static pawl_handler handler(const char *name, int32_t (*run)(void *, pawl_attempt *, pawl_bytes)) {
    pawl_handler made{};
    made.struct_size = sizeof made;
    made.name = name;
    made.run = run;
    return made;
}

static const pawl_handler handlers[] = {handler("cpp.returns", returns), handler("cpp.throws", throws), handler("cpp.gives_up", gives_up)};

extern "C" PAWL_PLUGIN("cpp", "1.0.0", handlers)
