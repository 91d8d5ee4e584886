// hello.cpp - a plugin with one handler, as its author writes it in C++17: pawl.hpp and c++ are all it takes.
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
    pawl::handler<hello>("hello.cpp", "Greets somebody as often as asked."),
};

PAWL_PLUGIN("hello-cpp", "1.0.0", handlers)
