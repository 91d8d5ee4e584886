// ways.cpp - a plugin that uses every part of pawl.hpp. For tests.
#include <pawl.hpp>

#include <pthread.h>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

struct Everything {
    std::string name = "world";
    std::int64_t times = 1;
    std::uint8_t small = 7;
    std::uint64_t natural = 0;
    double real = 0.5;
    bool flag = false;
    std::string mode = "fast";
    std::optional<std::string> note;
    std::vector<std::string> tags;
    pawl::Json extra;
    std::string path;

    template <class Field> void fields(Field &field)
    {
        field("name", name, "Who is \"greeted\"");
        field("times", times, "", pawl::range(1, 1000));
        field("small", small);
        field("natural", natural);
        field("real", real);
        field("flag", flag);
        field("mode", mode, "", pawl::one_of({"fast", "exact"}));
        field("note", note);
        field("tags", tags);
        field("extra", extra);
        field("path", path, "", pawl::required());
    }
};

pawl::Object echo(pawl::Attempt &attempt, const Everything &args)
{
    attempt.debug("d");
    attempt.info("tab\t quote\" \x01", {{"n", 1}, {"list", std::vector<int>{1, 2}}, {"none", nullptr}});
    return {{"name", args.name}, {"times", args.times}, {"small", args.small}, {"natural", args.natural},
            {"real", args.real}, {"flag", args.flag}, {"mode", args.mode}, {"note", args.note}, {"tags", args.tags},
            {"extra", args.extra}, {"path", args.path}};
}

int one_by_one(pawl::Attempt &, const pawl::Args &args)
{
    args.only({"a", "b", "text"});
    const auto a = args.get<int>("a");
    const auto b = args.get<int>("b", 10);
    const std::string text = args.get("text", "none");
    return a * b + static_cast<int>(text.size());
}

std::string whole_text(pawl::Attempt &, std::string_view args) { return std::string(args); }

void nothing(pawl::Attempt &attempt)
{
    attempt.stage("first");
    attempt.message("m");
    attempt.progress(3, 7, "x");
    attempt.count("errors", 2);
}

/* The known total: each element looks for a cancellation before and advances after. */
std::int64_t walk(pawl::Attempt &attempt)
{
    const std::vector<std::int64_t> numbers = {1, 2, 3};
    std::int64_t sum = 0;
    for (std::int64_t n : attempt.each("Adding", numbers, "numbers")) {
        if (n == 2) continue;
        sum += n;
    }
    return sum;
}

void spin(pawl::Attempt &attempt)
{
    for (std::int64_t i : attempt.count_to("Spinning", std::numeric_limits<std::int64_t>::max())) static_cast<void>(i);
}

void sleep_long(pawl::Attempt &attempt)
{
    attempt.stage("Sleeping");
    attempt.sleep_for(std::chrono::hours(1));
}

pawl::Bytes picture(pawl::Attempt &) { return {std::string("\1\0\377", 3), "image/png"}; }

pawl::Json broken_json(pawl::Attempt &) { return pawl::Json::raw("{"); }

double infinite(pawl::Attempt &) { return std::numeric_limits<double>::infinity(); }

class OwnError : public std::exception {
  public:
    const char *what() const noexcept override { return "of its own"; }
};

void fails(pawl::Attempt &attempt, const pawl::Args &args)
{
    const auto how = args.get<std::string>("how");
    if (how == "after")
        throw pawl::Failure("http_503", "busy").retry_after(std::chrono::seconds(30)).details(pawl::Object{{"tries", attempt.number()}});
    if (how == "never") throw pawl::Failure("gone", "for good").retry_never();
    if (how == "policy") throw pawl::Failure("hm", "perhaps");
    if (how == "invalid") throw pawl::InvalidInput("/how", "must be better");
    if (how == "snooze") throw pawl::Snooze(std::chrono::seconds(60));
    if (how == "cancelled") throw pawl::Cancelled{};
    if (how == "system") throw std::system_error(ENOENT, std::generic_category(), "open");
    if (how == "runtime") throw std::runtime_error("went wrong");
    if (how == "own") throw OwnError();
    if (how == "memory") throw std::bad_alloc();
    if (how == "int") throw 7;
    if (how == "thread_exit") pthread_exit(nullptr);
}

int loaded = 0;
int warmed = 0;
int started = 0;

pawl::Array hooks_called(pawl::Attempt &) { return {loaded, warmed, started}; }

void load(const pawl_host &host)
{
    loaded++;
    if (pawl::configuration(host) == "refuse") throw std::runtime_error("the configuration says no");
}

constexpr pawl::Hooks hooks{PAWL_PF_REUSABLE, load, [] { warmed += 10; }, [] { started += 100; }};

const pawl_limits limits = {sizeof(pawl_limits), 5, 60000, 0, 0, 0, 0, 0, 0, 0, 0};

const pawl_handler handlers[] = {
    pawl::handler<echo>("ways.echo", "Gives its args back.").result_schema("{\"type\":\"object\"}").limits(limits),
    pawl::handler<one_by_one>("ways.one_by_one").args_schema("{\"type\":\"object\"}"),
    pawl::handler<whole_text>("ways.whole_text"),
    pawl::handler<nothing>("ways.nothing"),
    pawl::handler<walk>("ways.walk"),
    pawl::handler<spin>("ways.spin"),
    pawl::handler<sleep_long>("ways.sleep"),
    pawl::handler<picture>("ways.picture"),
    pawl::handler<broken_json>("ways.broken_json"),
    pawl::handler<infinite>("ways.infinite"),
    pawl::handler<fails>("ways.fails"),
    pawl::handler<hooks_called>("ways.hooks"),
};

} // namespace

PAWL_PLUGIN_WITH("ways-cpp", "1.0.0", handlers, hooks)
