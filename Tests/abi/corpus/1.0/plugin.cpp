// plugin.cpp - a plugin as one was written with the first pawl.hpp. Never edited.
#include <pawl.hpp>

#include <cstdint>
#include <string>

// The args: read, checked, and described to the host by the same lines.
struct Greeting {
    std::string name = "world";
    std::int64_t times = 1;

    template <class Field> void fields(Field &field) {
        field("name", name, "Who is greeted");
        field("times", times, "How often", pawl::range(1, 1000000));
    }
};

// Greets `times` times, one step at a time. A cancellation ends the loop by an exception.
static pawl::Object hello(pawl::Attempt &attempt, const Greeting &args)
{
    for (std::int64_t i : attempt.count_to("greeting", args.times, "greetings")) {
        attempt.info("hello " + args.name, {{"number", i + 1}});
        attempt.count("greeted");
    }
    return {{"greetings", args.times}};
}

static const pawl_handler handlers[] = {
    pawl::handler<hello>("old.cpp", "Greets somebody as often as asked."),
};

PAWL_PLUGIN("old-cpp", "1.0.0", handlers)
