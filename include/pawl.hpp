/*
 * pawl.hpp - pawl.h for C++17 and later: typed args, exceptions instead of status codes, nothing to free.
 *
 *     #include <pawl.hpp>
 *
 *     struct Greeting {
 *         std::string name = "world"; // what an absent member means
 *         std::int64_t times = 1;
 *         template <class Field> void fields(Field &field) {
 *             field("name", name, "Who is greeted");
 *             field("times", times, "How often", pawl::range(1, 1000));
 *         }
 *     };
 *     static pawl::Object hello(pawl::Attempt &attempt, const Greeting &args) {
 *         for (std::int64_t i : attempt.count_to("Greeting", args.times, "greetings")) attempt.info("hello " + args.name, {{"number", i}});
 *         return {{"greeted", args.name}};
 *     }
 *     static const pawl_handler handlers[] = {pawl::handler<hello>("hello.cpp", "Greets somebody.")};
 *     PAWL_PLUGIN("hello", "1.0.0", handlers)
 *
 *     c++ -std=c++17 -shared -fPIC -fvisibility=hidden -I include -o hello.so hello.cpp -Wl,--version-script=plugin.map
 *
 * (plugin.map lies beside PluginKit and in examples/cpp: without it the library would also export what it instantiates of
 * the standard library.) A handler is a plain function of one of the forms
 *
 *     R f(pawl::Attempt &)                    no args: an object without members
 *     R f(pawl::Attempt &, const A &)         A has fields(): read, checked, and described to the host as a JSON Schema
 *     R f(pawl::Attempt &, const pawl::Args &)   members are asked for one by one
 *     R f(pawl::Attempt &, std::string_view)  the args' JSON text, for those who bring a parser
 *
 * where R is void, pawl::Json, pawl::Object, pawl::Array, pawl::Bytes, or anything that pawl::Json is made of. It may
 * throw: pawl::Failure (code, message, retry, details), pawl::InvalidInput, pawl::Snooze, pawl::Cancelled (check_cancelled()
 * throws it), any std::exception. Nothing passes the border to the host. Threads and lifetimes are those of pawl.h.
 *
 * Nothing here is part of the ABI: all of it is compiled into the plugin.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef PAWL_HPP
#define PAWL_HPP

#include <pawl.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <poll.h>
#if defined(__GLIBCXX__)
#include <cxxabi.h>
#endif

namespace pawl {

/* ---------------------------------------------------------------------------------------------------------------- */
/* JSON, to be written: results, log fields, details                                                                 */

class Object;
class Array;

/* One JSON value as its text. Made of what C++ has for it; a text that is not valid UTF-8 is repaired by the host. */
class Json {
  public:
    Json() : text_("null") {}
    Json(std::nullptr_t) : text_("null") {}
    template <class T, std::enable_if_t<std::is_same_v<T, bool>, int> = 0> Json(T value) : text_(value ? "true" : "false") {}
    template <class T, std::enable_if_t<std::is_integral_v<T> && !std::is_same_v<T, bool>, int> = 0>
    Json(T value) : text_(number(value)) {}
    /* Infinity and "not a number" have no JSON: they become null. */
    template <class T, std::enable_if_t<std::is_floating_point_v<T>, int> = 0>
    Json(T value) : text_(std::isfinite(value) ? number(value) : std::string("null")) {}
    Json(const char *value) : Json(std::string_view(value)) {}
    Json(const std::string &value) : Json(std::string_view(value)) {}
    Json(std::string_view value) { quote(value, text_); }
    template <class T> Json(const std::optional<T> &value) : Json(value ? Json(*value) : Json()) {}
    template <class T> Json(const std::vector<T> &values) {
        text_ = "[";
        for (const auto &value : values) {
            if (text_.size() > 1) text_ += ',';
            text_ += Json(value).text();
        }
        text_ += ']';
    }
    inline Json(const Object &object);
    inline Json(const Array &array);

    /* A text that is JSON already. The host checks a result's; what it refuses is a failure of the attempt. */
    static Json raw(std::string text) {
        Json json;
        json.text_ = std::move(text);
        return json;
    }

    const std::string &text() const noexcept { return text_; }

    static void quote(std::string_view value, std::string &out) {
        static const char hex[] = "0123456789abcdef";
        out += '"';
        for (char c : value) {
            const auto byte = static_cast<unsigned char>(c);
            if (c == '"' || c == '\\') {
                out += '\\';
                out += c;
            } else if (byte < 0x20) {
                out += "\\u00";
                out += hex[byte >> 4];
                out += hex[byte & 15];
            } else {
                out += c;
            }
        }
        out += '"';
    }

  private:
    template <class T> static std::string number(T value) {
        char line[64]; /* the longest double has 24 characters; the locale has no say */
        const auto end = std::to_chars(line, line + sizeof line, value);
        return std::string(line, end.ptr);
    }

    std::string text_;
};

/* A JSON object, its members in the order they were set. */
class Object {
  public:
    Object() = default;
    Object(std::initializer_list<std::pair<std::string_view, Json>> members) {
        for (const auto &member : members) set(member.first, member.second);
    }
    /* Adds a member; a name that is there already is not looked for. */
    Object &set(std::string_view name, const Json &value) {
        if (!members_.empty()) members_ += ',';
        Json::quote(name, members_);
        members_ += ':';
        members_ += value.text();
        return *this;
    }
    bool empty() const noexcept { return members_.empty(); }
    std::string text() const { return "{" + members_ + "}"; }

  private:
    std::string members_;
};

/* A JSON array. */
class Array {
  public:
    Array() = default;
    Array(std::initializer_list<Json> elements) {
        for (const auto &element : elements) add(element);
    }
    Array &add(const Json &value) {
        if (!elements_.empty()) elements_ += ',';
        elements_ += value.text();
        return *this;
    }
    std::string text() const { return "[" + elements_ + "]"; }

  private:
    std::string elements_;
};

inline Json::Json(const Object &object) : text_(object.text()) {}
inline Json::Json(const Array &array) : text_(array.text()) {}

/* A result that is not JSON. */
struct Bytes {
    std::string content;
    std::string media_type = "application/octet-stream";
};

/* ---------------------------------------------------------------------------------------------------------------- */
/* How an attempt ends, other than by returning                                                                      */

/* The attempt fails. By default it is retried as the job's policy says. */
class Failure : public std::runtime_error {
  public:
    /* code: short and stable, e.g. "http_503"; equal codes are grouped. message: for people. */
    Failure(std::string code, const std::string &message) : std::runtime_error(message), code_(std::move(code)) {}

    /* Final: the run ends failed at once. */
    Failure &retry_never() noexcept { return retry(PAWL_RETRY_NEVER); }
    /* Another attempt, also where the policy would not retry this code. */
    Failure &retry_yes() noexcept { return retry(PAWL_RETRY_YES); }
    /* Another attempt, not before this time. */
    Failure &retry_at(std::chrono::system_clock::time_point time) noexcept {
        not_before_ms_ = std::chrono::ceil<std::chrono::milliseconds>(time.time_since_epoch()).count();
        return retry(PAWL_RETRY_YES);
    }
    /* Another attempt, not before so much time has passed, e.g. what a Retry-After header said. */
    Failure &retry_after(std::chrono::milliseconds delay) noexcept {
        return retry_at(std::chrono::system_clock::now() + delay);
    }
    /* What helps to understand it. */
    Failure &details(const Json &json) {
        details_ = json.text();
        return *this;
    }

    const std::string &code() const noexcept { return code_; }
    const std::string &details() const noexcept { return details_; }
    std::int32_t retry() const noexcept { return retry_; }
    std::int64_t not_before_ms() const noexcept { return not_before_ms_; }
    /* What run() returns: PAWL_E_FAILED, or PAWL_E_INVALID_INPUT. */
    std::int32_t status() const noexcept { return status_; }

  protected:
    Failure &retry(std::int32_t retry) noexcept {
        retry_ = retry;
        return *this;
    }
    std::int32_t status_ = PAWL_E_FAILED;

  private:
    std::string code_;
    std::string details_;
    std::int32_t retry_ = PAWL_RETRY_BY_POLICY;
    std::int64_t not_before_ms_ = 0;
};

/* The args are wrong; never retried. pointer: a JSON Pointer to the member, e.g. "/times"; "" for all of them. */
class InvalidInput : public Failure {
  public:
    InvalidInput(const std::string &pointer, const std::string &words)
        : Failure("invalid_input", "args" + pointer + ": " + words) {
        status_ = PAWL_E_INVALID_INPUT;
        retry_never();
        details(Object{{"pointer", pointer}});
    }
};

/* Puts the run back until later without using up an attempt. */
struct Snooze {
    std::chrono::system_clock::time_point until;
    explicit Snooze(std::chrono::system_clock::time_point time) : until(time) {}
    explicit Snooze(std::chrono::milliseconds delay) : until(std::chrono::system_clock::now() + delay) {}
};

/* Somebody asked the attempt to stop, and it does. */
struct Cancelled {};

/* ---------------------------------------------------------------------------------------------------------------- */
/* One attempt                                                                                                       */

namespace detail {
inline pawl_str borrow(std::string_view text) noexcept { return pawl_str{text.data(), text.size()}; }
inline std::string_view view(pawl_str text) noexcept { return {text.ptr, text.len}; }

/* The host has been told already; what is left is the status. */
struct Refused {
    std::int32_t status;
};
} // namespace detail

template <class Iterator> class Track;
class Counted;

/* A handle like pawl_attempt *: cheap to copy, valid until the handler returns, usable from any thread. */
class Attempt {
  public:
    explicit Attempt(pawl_attempt *handle) noexcept : handle_(handle) {}
    pawl_attempt *handle() const noexcept { return handle_; }

    /* "run_" and 13 characters. The texts live until the handler returns. */
    std::string_view run_id() const { return detail::view(host().run_id(handle_)); }
    std::string_view job_name() const { return detail::view(host().job_name(handle_)); }
    /* 1 for the first attempt. */
    std::uint32_t number() const { return host().attempt_number(handle_); }
    /* A private directory, removed afterwards; empty where the host could not make one. */
    std::string_view scratch_dir() const { return detail::view(host().scratch_dir(handle_)); }
    std::string_view traceparent() const { return detail::view(host().traceparent(handle_)); }
    /* Time until the deadline, negative once it has passed; none without a deadline. It may move: ask again. */
    std::optional<std::chrono::nanoseconds> time_left() const {
        const std::int64_t deadline = host().deadline_ns(handle_);
        if (deadline == std::numeric_limits<std::int64_t>::max()) return std::nullopt;
        return std::chrono::nanoseconds(deadline - host().now_ns());
    }

    /* Whether somebody asked this attempt to stop: one atomic load, ask in every loop. */
    bool is_cancelled() const { return host().is_cancelled(handle_) != 0; }
    void check_cancelled() const {
        if (is_cancelled()) throw Cancelled{};
    }
    /* Readable from the cancellation on; never read or close it. -1 where there is none. */
    int cancel_fd() const { return host().cancel_fd(handle_); }
    /* Sleeps, and throws Cancelled if the attempt is cancelled meanwhile. */
    void sleep_for(std::chrono::nanoseconds duration) const {
        const auto end = std::chrono::steady_clock::now() + duration;
        check_cancelled();
        for (;;) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
            if (left <= 0) return;
            /* Where there is no descriptor: look ten times a second. */
            const auto most = cancel_fd() < 0 ? 100 : 3'600'000;
            struct pollfd wait = {cancel_fd(), POLLIN, 0};
            if (poll(&wait, 1, static_cast<int>(std::min<std::int64_t>(left, most))) < 0 && errno != EINTR)
                throw std::system_error(errno, std::generic_category(), "poll");
            check_cancelled();
        }
    }

    /* Lines in the run's log, with fields. */
    void debug(std::string_view message, const Object &fields = {}) const { log(PAWL_LOG_DEBUG, message, fields); }
    void info(std::string_view message, const Object &fields = {}) const { log(PAWL_LOG_INFO, message, fields); }
    void warning(std::string_view message, const Object &fields = {}) const { log(PAWL_LOG_WARNING, message, fields); }
    void error(std::string_view message, const Object &fields = {}) const { log(PAWL_LOG_ERROR, message, fields); }
    void log(std::int32_t level, std::string_view message, const Object &fields = {}) const {
        const std::string json = fields.empty() ? std::string() : fields.text();
        host().log(handle_, level, detail::borrow(message), detail::borrow(json));
    }

    /* Progress, as in pawl.h: cheap and coalesced, one call per item. */
    void stage(std::string_view name) const { host().set_stage(handle_, detail::borrow(name)); }
    void total(std::uint64_t total, std::string_view unit = {}) const {
        host().set_total(handle_, total, detail::borrow(unit));
    }
    void advance(std::uint64_t n = 1) const { host().advance(handle_, n); }
    void message(std::string_view text) const { host().set_message(handle_, detail::borrow(text)); }
    void progress(std::uint64_t current, std::uint64_t total = PAWL_TOTAL_UNKNOWN, std::string_view message = {}) const {
        host().set_progress(handle_, current, total, detail::borrow(message));
    }
    void count(std::string_view kind, std::int64_t n = 1) const { host().count(handle_, detail::borrow(kind), n); }

    /* Asks for a run of `job` once this run has succeeded (pawl.h, PAWL_EXT_FOLLOW_UP). options: delay_ms, priority, attempts,
     * queue, title, labels. What the host refuses at once is a Failure, never retried, which says why.
     *     attempt.enqueue("mail.send", {{"to", address}}, {{"delay_ms", 60000}}); */
    void enqueue(std::string_view job, const Object &args = {}, const Object &options = {}) const {
        const auto *table = static_cast<const pawl_ext_follow_up *>(host().get_extension(&host(), PAWL_EXT_FOLLOW_UP));
        const std::string args_json = args.text();
        const std::string options_json = options.empty() ? std::string() : options.text();
        pawl_str why = {nullptr, 0};
        pawl_follow_up wanted = {};
        wanted.struct_size = sizeof wanted;
        wanted.job = detail::borrow(job);
        wanted.args_json = detail::borrow(args_json);
        wanted.options_json = detail::borrow(options_json);
        const std::int32_t status = table == nullptr ? PAWL_E_UNSUPPORTED : table->enqueue(handle_, &wanted, &why);
        if (status == PAWL_OK) return;
        std::string words = "a follow-up run of " + std::string(job) + ": ";
        if (table == nullptr) words += "this host is older than follow-up runs";
        else if (why.len > 0) words += detail::view(why);
        else words += "status " + std::to_string(status);
        throw Failure("follow_up_refused", words).retry_never();
    }

    /* A stage over the elements of a container: looks for a cancellation before each, and advances after each. The total is
     * the container's size.
     *     for (const auto &user : attempt.each("Processing users", users, "users")) save(user); */
    template <class Container>
    auto each(std::string_view name, Container &container, std::string_view unit = {}) const;
    /* The same over the numbers 0 to n - 1. */
    Counted count_to(std::string_view name, std::int64_t n, std::string_view unit = {}) const;

    const pawl_host &host() const noexcept { return *handle_->host; }

  private:
    pawl_attempt *handle_;
};

/* An iterator that reports: what Attempt::each walks with. */
template <class Iterator> class Step {
  public:
    using difference_type = std::ptrdiff_t;
    using value_type = typename std::iterator_traits<Iterator>::value_type;
    using reference = decltype(*std::declval<Iterator &>());
    using pointer = void;
    using iterator_category = std::input_iterator_tag;

    Step(Attempt attempt, Iterator at) : attempt_(attempt), at_(std::move(at)) {}
    decltype(auto) operator*() const {
        attempt_.check_cancelled();
        return *at_;
    }
    Step &operator++() {
        ++at_;
        attempt_.advance();
        return *this;
    }
    bool operator==(const Step &other) const { return at_ == other.at_; }
    bool operator!=(const Step &other) const { return !(at_ == other.at_); }

  private:
    Attempt attempt_;
    Iterator at_;
};

template <class Iterator> class Track {
  public:
    Track(Attempt attempt, Iterator first, Iterator last) : first_(attempt, first), last_(attempt, last) {}
    Step<Iterator> begin() const { return first_; }
    Step<Iterator> end() const { return last_; }

  private:
    Step<Iterator> first_, last_;
};

/* A number that is its own iterator. */
class Number {
  public:
    using difference_type = std::ptrdiff_t;
    using value_type = std::int64_t;
    using reference = std::int64_t;
    using pointer = void;
    using iterator_category = std::input_iterator_tag;

    explicit Number(std::int64_t value) noexcept : value_(value) {}
    std::int64_t operator*() const noexcept { return value_; }
    Number &operator++() noexcept {
        ++value_;
        return *this;
    }
    bool operator==(const Number &other) const noexcept { return value_ == other.value_; }

  private:
    std::int64_t value_;
};

class Counted : public Track<Number> {
  public:
    using Track::Track;
};

template <class Container>
auto Attempt::each(std::string_view name, Container &container, std::string_view unit) const {
    using std::begin;
    using std::end;
    stage(name);
    total(static_cast<std::uint64_t>(std::distance(begin(container), end(container))), unit);
    return Track<decltype(begin(container))>(*this, begin(container), end(container));
}

inline Counted Attempt::count_to(std::string_view name, std::int64_t n, std::string_view unit) const {
    const std::int64_t last = n < 0 ? 0 : n;
    stage(name);
    total(static_cast<std::uint64_t>(last), unit);
    return Counted(*this, Number(0), Number(last));
}

/* ---------------------------------------------------------------------------------------------------------------- */
/* Args                                                                                                              */

/* What an arg may be, beyond its type. */
struct Rules {
    std::optional<std::int64_t> minimum;
    std::optional<std::int64_t> maximum;
    std::vector<std::string> choices;
    bool is_required = false;

    Rules required() && {
        is_required = true;
        return std::move(*this);
    }
};
/* A whole number of minimum to maximum. */
inline Rules range(std::int64_t minimum, std::int64_t maximum) { return Rules{minimum, maximum, {}, false}; }
/* One of these texts. */
inline Rules one_of(std::vector<std::string> choices) { return Rules{{}, {}, std::move(choices), false}; }
/* It may not be absent. */
inline Rules required() { return Rules{{}, {}, {}, true}; }

namespace detail {
template <class T> struct is_optional : std::false_type {};
template <class T> struct is_optional<std::optional<T>> : std::true_type {};
template <class> inline constexpr bool unsupported = false;

/* The bounds of a whole number: its type's, in what the host can say, and the rules'. */
template <class T> std::pair<std::int64_t, std::int64_t> bounds(const Rules &rules) {
    using Limits = std::numeric_limits<std::int64_t>;
    std::int64_t low = 0, high = Limits::max();
    if constexpr (std::is_signed_v<T>) low = std::int64_t{std::numeric_limits<T>::min()};
    if constexpr (sizeof(T) < sizeof(std::int64_t) || std::is_signed_v<T>)
        high = static_cast<std::int64_t>(std::numeric_limits<T>::max());
    return {std::max(low, rules.minimum.value_or(low)), std::min(high, rules.maximum.value_or(high))};
}
} // namespace detail

/* The args, member by member. A member of another type than asked for ends the attempt with words that name it. */
class Args {
  public:
    explicit Args(Attempt attempt) : attempt_(attempt) {
        const pawl_host &host = attempt.host();
        api_ = static_cast<const pawl_ext_args *>(host.get_extension(&host, PAWL_EXT_ARGS));
        if (api_ == nullptr)
            throw Failure("unsupported", "this host has no extension " PAWL_EXT_ARGS).retry_never();
    }

    /* Reads into value; false, and value as it was, where the member is absent or null. T: bool, whole and real numbers,
     * std::string, std::string_view (until the handler returns), std::vector<std::string>, std::optional of these, and
     * pawl::Json: whatever it is, as it stands. */
    template <class T> bool read(const char *key, T &value, const Rules &rules = {}) const {
        std::int32_t status = PAWL_E_NOT_FOUND;
        if constexpr (detail::is_optional<T>::value) {
            typename T::value_type found{};
            if (!read(key, found, rules)) return false;
            value = std::move(found);
            return true;
        } else if constexpr (std::is_same_v<T, bool>) {
            std::int32_t found = 0;
            status = api_->get_bool(attempt_.handle(), key, &found);
            if (status == PAWL_OK) value = found != 0;
        } else if constexpr (std::is_integral_v<T>) {
            std::int64_t found = 0;
            const auto bounds = detail::bounds<T>(rules);
            status = api_->get_int(attempt_.handle(), key, bounds.first, bounds.second, &found);
            if (status == PAWL_OK) value = static_cast<T>(found);
        } else if constexpr (std::is_floating_point_v<T>) {
            double found = 0;
            status = api_->get_double(attempt_.handle(), key, &found);
            if (status == PAWL_OK) value = static_cast<T>(found);
        } else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>) {
            pawl_str found = PAWL_NO_STR;
            status = api_->get_str(attempt_.handle(), key, &found);
            if (status == PAWL_OK) value = T(detail::view(found));
            if (status == PAWL_OK && !rules.choices.empty()) check_choice(key, std::string(value), rules);
        } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
            status = read_texts(key, value);
        } else if constexpr (std::is_same_v<T, Json>) {
            pawl_str found = PAWL_NO_STR;
            status = api_->get_json(attempt_.handle(), key, &found);
            if (status == PAWL_OK) value = Json::raw(std::string(detail::view(found)));
        } else {
            static_assert(detail::unsupported<T>, "pawl::Args reads no member of this type: take a pawl::Json");
        }
        if (status == PAWL_OK) return true;
        if (status != PAWL_E_NOT_FOUND) throw detail::Refused{status};
        if (rules.is_required) throw InvalidInput(std::string("/") + key, "is missing");
        return false;
    }
    /* The member, which must be there. */
    template <class T> T get(const char *key) const {
        T value{};
        read(key, value, pawl::required());
        return value;
    }
    /* The member, or this where it is absent. */
    template <class T> T get(const char *key, T absent) const {
        read(key, absent);
        return absent;
    }
    std::string get(const char *key, const char *absent) const { return get<std::string>(key, absent); }

    /* Refuses members of other names: a misspelt one should not be ignored. */
    void only(const std::vector<const char *> &names) const {
        const std::int32_t status = api_->only(attempt_.handle(), names.data(), names.size());
        if (status != PAWL_OK) throw detail::Refused{status};
    }

  private:
    std::int32_t read_texts(const char *key, std::vector<std::string> &texts) const {
        std::size_t count = 0;
        const std::int32_t status = api_->array_count(attempt_.handle(), key, &count);
        if (status != PAWL_OK) return status;
        std::vector<std::string> found;
        found.reserve(count);
        for (std::size_t index = 0; index < count; index++) {
            pawl_str text = PAWL_NO_STR;
            const std::int32_t element = api_->array_str(attempt_.handle(), key, index, &text);
            if (element != PAWL_OK) return element;
            found.emplace_back(detail::view(text));
        }
        texts = std::move(found);
        return PAWL_OK;
    }
    static void check_choice(const char *key, const std::string &value, const Rules &rules) {
        if (std::find(rules.choices.begin(), rules.choices.end(), value) != rules.choices.end()) return;
        std::string words = "must be one of ";
        for (const auto &choice : rules.choices) {
            if (&choice != &rules.choices.front()) words += ", ";
            words += choice;
        }
        throw InvalidInput(std::string("/") + key, words);
    }

    Attempt attempt_;
    const pawl_ext_args *api_;
};

namespace detail {
/* What A::fields() is called with: to learn the names, to read the values, and to write the schema. */
struct FieldNames {
    std::vector<const char *> names;
    template <class T> void operator()(const char *key, T &, const char * = "", const Rules & = {}) { names.push_back(key); }
};
struct FieldReader {
    const Args &args;
    template <class T> void operator()(const char *key, T &value, const char * = "", const Rules &rules = {}) {
        args.read(key, value, rules);
    }
};
struct FieldSchema {
    Object properties;
    Array required;
    bool has_required = false;

    template <class T> void operator()(const char *key, T &value, const char *description = "", const Rules &rules = {}) {
        Object schema;
        type<T>(schema, rules);
        if (*description != 0) schema.set("description", description);
        if (rules.is_required) {
            required.add(key);
            has_required = true;
        } else if constexpr (!is_optional<T>::value) {
            schema.set("default", Json(value));
        }
        properties.set(key, schema);
    }
    std::string text() const {
        Object schema{{"type", "object"}, {"properties", properties}};
        if (has_required) schema.set("required", required);
        return schema.set("additionalProperties", false).text();
    }

  private:
    template <class T> static void type(Object &schema, const Rules &rules) {
        if constexpr (is_optional<T>::value) {
            type<typename T::value_type>(schema, rules);
        } else if constexpr (std::is_same_v<T, bool>) {
            schema.set("type", "boolean");
        } else if constexpr (std::is_integral_v<T>) {
            const auto all = bounds<std::int64_t>({}), allowed = bounds<T>(rules);
            schema.set("type", "integer");
            if (allowed.first != all.first) schema.set("minimum", allowed.first);
            if (allowed.second != all.second) schema.set("maximum", allowed.second);
        } else if constexpr (std::is_floating_point_v<T>) {
            schema.set("type", "number");
        } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
            schema.set("type", "array").set("items", Object{{"type", "string"}});
        } else if constexpr (!std::is_same_v<T, Json>) {
            schema.set("type", "string");
            if (!rules.choices.empty()) schema.set("enum", rules.choices);
        }
    }
};

template <class A> struct ArgsOf {
    static A read(Attempt attempt, pawl_bytes) {
        const Args args(attempt);
        A value{};
        FieldNames names;
        value.fields(names);
        args.only(names.names);
        FieldReader reader{args};
        value.fields(reader);
        return value;
    }
    static const char *schema() {
        static const std::string text = [] {
            A value{};
            FieldSchema schema;
            value.fields(schema);
            return schema.text();
        }();
        return text.c_str();
    }
};
template <> struct ArgsOf<Args> {
    static Args read(Attempt attempt, pawl_bytes) { return Args(attempt); }
    static const char *schema() { return nullptr; }
};
template <> struct ArgsOf<std::string_view> {
    static std::string_view read(Attempt, pawl_bytes args) { return {static_cast<const char *>(args.ptr), args.len}; }
    static const char *schema() { return nullptr; }
};
struct NoArgs {
    template <class Field> void fields(Field &) {}
};

inline std::int32_t accepted(Attempt attempt, const Json &result) {
    return attempt.host().result_json(attempt.handle(), borrow(result.text()));
}
inline std::int32_t accepted(Attempt attempt, const Bytes &result) {
    return attempt.host().result_bytes(
        attempt.handle(), pawl_bytes{result.content.data(), result.content.size()}, borrow(result.media_type));
}
template <class Call> std::int32_t finish(Attempt attempt, Call call) {
    if constexpr (std::is_void_v<decltype(call())>) {
        call();
        return PAWL_OK;
    } else {
        const auto result = call();
        const std::int32_t status = accepted(attempt, result);
        if (status == PAWL_E_LIMIT)
            throw Failure("result_too_large", "the host refused the result: too large").retry_never();
        if (status == PAWL_E_INVALID_INPUT)
            throw Failure("result_not_json", "the host refused the result: not valid JSON").retry_never();
        return status;
    }
}

inline std::int32_t fail(Attempt attempt, const Failure &failure) {
    pawl_failure raw = {};
    raw.struct_size = sizeof raw;
    raw.retry = failure.retry();
    raw.code = borrow(failure.code());
    raw.message = borrow(failure.what());
    raw.details_json = borrow(failure.details());
    raw.not_before_unix_ms = failure.not_before_ms();
    attempt.host().fail(attempt.handle(), &raw);
    return failure.status();
}

/* An exception of the author's or a library's own, by its type's name, so that equal failures are grouped. */
inline std::string type_name(const std::exception &error) {
#if defined(__GLIBCXX__) && defined(__cpp_rtti)
    int status = 0;
    const std::unique_ptr<char, void (*)(void *)> name(
        abi::__cxa_demangle(typeid(error).name(), nullptr, nullptr, &status), std::free);
    if (status == 0 && name) return name.get();
#endif
    static_cast<void>(error);
    return "exception";
}

/* The border: nothing that body throws passes it. */
template <class Body> std::int32_t border(pawl_attempt *handle, Body body) {
    const Attempt attempt(handle);
    try {
        try {
            return body(attempt);
        } catch (const Refused &refused) {
            return refused.status;
        } catch (const Cancelled &) {
            if (attempt.is_cancelled()) return PAWL_E_CANCELLED;
            return fail(attempt, Failure("Cancelled", "the handler threw Cancelled, but nobody had cancelled the attempt"));
        } catch (const Snooze &snooze) {
            const auto until = std::chrono::ceil<std::chrono::milliseconds>(snooze.until.time_since_epoch());
            return attempt.host().snooze(handle, until.count());
        } catch (const Failure &failure) {
            return fail(attempt, failure);
        } catch (const std::bad_alloc &) {
            return fail(attempt, Failure("std::bad_alloc", "out of memory"));
        } catch (const std::system_error &error) {
            /* E.g. "generic_2", which is ENOENT. */
            return fail(attempt, Failure(std::string(error.code().category().name()) + "_" +
                                             std::to_string(error.code().value()), error.what()));
        } catch (const std::exception &error) {
            return fail(attempt, Failure(type_name(error), error.what()));
#if defined(__GLIBCXX__)
        } catch (abi::__forced_unwind &) {
            throw; /* pthread_exit() and pthread_cancel() unwind with it, and abort where it is caught */
#endif
        } catch (...) {
            return fail(attempt, Failure("exception", "the handler threw what is no std::exception"));
        }
    } catch (const std::exception &) {
        return PAWL_E_FAILED; /* no memory to say more */
    }
}

template <class F> struct Form;
template <class R> struct Form<R (*)(Attempt &)> {
    using A = NoArgs;
    template <auto F> static R call(Attempt &attempt, const A &) { return F(attempt); }
};
template <class R, class T> struct Form<R (*)(Attempt &, T)> {
    using A = std::decay_t<T>;
    template <auto F> static R call(Attempt &attempt, const A &args) { return F(attempt, args); }
};

/* pawl_handler.run of a handler. */
template <auto F> std::int32_t run(void *, pawl_attempt *handle, pawl_bytes raw) {
    using Shape = Form<decltype(F)>;
    return border(handle, [raw](Attempt attempt) {
        const typename Shape::A args = ArgsOf<typename Shape::A>::read(attempt, raw);
        return finish(attempt, [&]() -> decltype(auto) { return Shape::template call<F>(attempt, args); });
    });
}
} // namespace detail

/* ---------------------------------------------------------------------------------------------------------------- */
/* What a plugin declares                                                                                            */

/* A handler's descriptor on its way into the array of pawl_handler. All texts must live as long as the process. */
class Handler {
  public:
    explicit Handler(const pawl_handler &raw) noexcept : raw_(raw) {}
    /* In place of what fields() says. */
    Handler &args_schema(const char *json) noexcept {
        raw_.args_schema = json;
        return *this;
    }
    Handler &result_schema(const char *json) noexcept {
        raw_.result_schema = json;
        return *this;
    }
    Handler &limits(const pawl_limits &limits) noexcept {
        raw_.limits = &limits;
        return *this;
    }
    /* Between two attempts in a reused child (PAWL_PF_REUSABLE); must not throw. */
    Handler &reset(std::int32_t (*function)(void *)) noexcept {
        raw_.reset = function;
        return *this;
    }
    operator pawl_handler() const noexcept { return raw_; }

  private:
    pawl_handler raw_;
};

/* Makes a handler of a function. name: dotted, e.g. "csv.to_jsonl"; description: one sentence. */
template <auto F> Handler handler(const char *name, const char *description = nullptr) {
    pawl_handler raw = {};
    raw.struct_size = sizeof raw;
    raw.name = name;
    raw.description = description;
    raw.args_schema = detail::ArgsOf<typename detail::Form<decltype(F)>::A>::schema();
    raw.run = detail::run<F>;
    return Handler(raw);
}

/* What happens around the attempts; for PAWL_PLUGIN_WITH. The functions may throw: then the plugin (load) or the child
 * (child_start) is refused, and what() says why. */
struct Hooks {
    std::uint64_t flags = 0;                /* PAWL_PF_* */
    void (*load)(const pawl_host &) = nullptr; /* pawl_plugin.init: once, no threads, no connections */
    void (*warm_up)() = nullptr;            /* pawl_plugin.prefork: touch what every attempt needs */
    void (*child_start)() = nullptr;        /* first thing in every child: connections, threads, random generators */
};

/* The configuration text that came with the plugin; empty where there is none. */
inline std::string_view configuration(const pawl_host &host) {
    const auto *config = static_cast<const pawl_ext_config *>(host.get_extension(&host, PAWL_EXT_CONFIG));
    return config == nullptr ? std::string_view() : detail::view(config->text());
}

namespace detail {
template <class Body> std::int32_t guarded(const pawl_host *host, Body body) {
    try {
        body();
        return PAWL_OK;
    } catch (const std::exception &error) {
        if (host != nullptr) host->log(nullptr, PAWL_LOG_ERROR, borrow(error.what()), PAWL_NO_STR);
    } catch (...) {
        if (host != nullptr) host->log(nullptr, PAWL_LOG_ERROR, PAWL_STR("what is no std::exception was thrown"), PAWL_NO_STR);
    }
    return PAWL_E_FAILED;
}
/* The host's table, for hooks that are not given it. */
inline const pawl_host *&loaded_host() {
    static const pawl_host *host = nullptr;
    return host;
}
template <const Hooks &H> struct HookCalls {
    static std::int32_t init(const pawl_host *host) {
        return guarded(host, [host] { if (H.load != nullptr) H.load(*host); });
    }
    static std::int32_t prefork() {
        return guarded(loaded_host(), [] { if (H.warm_up != nullptr) H.warm_up(); });
    }
    static std::int32_t child_start() {
        return guarded(loaded_host(), [] { if (H.child_start != nullptr) H.child_start(); });
    }
};
} // namespace detail

} // namespace pawl

/* PAWL_PLUGIN with hooks: the name of a `static constexpr pawl::Hooks` at namespace scope. */
#define PAWL_PLUGIN_WITH(plugin_name, plugin_version, handler_array, hooks)                                           \
    const pawl_plugin *pawl_plugin_entry(const pawl_host *host, uint32_t abi_major, uint32_t, uint32_t) {              \
        static const pawl_plugin descriptor = {                                                                       \
            sizeof(pawl_plugin), PAWL_ABI_MAJOR, PAWL_ABI_MINOR, sizeof(pawl_handler), (hooks).flags,                 \
            (plugin_name), (plugin_version), (handler_array), std::size(handler_array), 0,                            \
            pawl::detail::HookCalls<hooks>::init, pawl::detail::HookCalls<hooks>::prefork,                            \
            pawl::detail::HookCalls<hooks>::child_start, nullptr};                                                    \
        pawl::detail::loaded_host() = host;                                                                           \
        return abi_major == PAWL_ABI_MAJOR ? &descriptor : nullptr;                                                   \
    }

#endif /* PAWL_HPP */
