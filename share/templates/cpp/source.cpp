// @SOURCE@ - the handler @HANDLER@. All that a handler may do is in pawl.hpp, and beneath it in pawl.h.
#include <pawl.hpp>

#include <cstdint>
#include <string>

// The args: read, checked, and described to the host by the same lines.
struct Greeting {
    std::string name = "world"; // what an absent member means
    std::int64_t times = 1;

    template <class Field> void fields(Field &field) {
        field("name", name, "Who is greeted");
        field("times", times, "How often", pawl::range(1, 1000));
    }
};

// Greets `times` times, one step at a time. A cancellation ends the loop by an exception.
static pawl::Object greet(pawl::Attempt &attempt, const Greeting &args)
{
    for (std::int64_t i : attempt.count_to("Greeting", args.times, "greetings")) {
        attempt.info("hello " + args.name, {{"number", i + 1}});
    }
    return {{"greetings", args.times}};
}

static const pawl_handler handlers[] = {
    pawl::handler<greet>("@HANDLER@", "Greets somebody as often as asked."),
};

PAWL_PLUGIN("@PLUGIN@", "1.0.0", handlers)
