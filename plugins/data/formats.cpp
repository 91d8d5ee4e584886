/* formats.cpp - CSV over the reader of plugins/csv; JSON arrays and JSON Lines over a buffer of their own. */
#include "formats.hpp"

#include <algorithm>
#include <cerrno>
#include <new>
#include <unistd.h>
#include <unordered_map>
#include <unordered_set>

namespace data {
namespace {

/* ---- CSV ---- */

class CsvSource : public Source {
  public:
    CsvSource(int fd, const CsvRules &rules) : rules_(rules), names_(rules.columns) {
        if (reader_open(&reader_, fd, rules.delimiter, '"') != 0) throw std::bad_alloc();
        if (!rules.has_header || !read()) return;
        const bool is_named = !names_.empty();
        if (!is_named) name_columns();
    }
    ~CsvSource() override { reader_close(&reader_, &record_); }
    CsvSource(const CsvSource &) = delete;
    CsvSource &operator=(const CsvSource &) = delete;

    bool next(Record &record) override {
        do {
            if (!read()) return false;
        } while (names_.size() > 1 && is_empty_line()); /* in one column it is a value */
        if (record_.fault != nullptr) throw Malformed(record_.fault);
        if (names_.empty()) number_columns();
        if (record_.count != names_.size())
            throw Malformed(std::to_string(record_.count) + " fields, where " + std::to_string(names_.size()) + " are named");
        record.clear();
        for (std::size_t i = 0; i < record_.count; i++) record.push_back({names_[i], value(record_.fields[i])});
        return true;
    }
    std::uint64_t bytes() const override { return reader_.bytes; }
    std::string place() const override { return "line " + std::to_string(record_.line); }

  private:
    bool read() {
        switch (reader_next(&reader_, &record_)) {
        case READER_RECORD: return true;
        case READER_END: return false;
        case READER_IO: throw Unreadable{reader_.error};
        case READER_TOO_LONG: throw Hopeless("the record is longer than 16 MiB; a quote is probably not closed");
        case READER_MEMORY: break;
        }
        throw std::bad_alloc();
    }

    bool is_empty_line() const {
        return record_.fault == nullptr && record_.count == 1 && record_.length == 0 && !record_.fields[0].quoted;
    }

    std::string text(const field &f) const { return std::string(record_.bytes + f.start, f.length); }

    /* Empty names become column_N, names that occur again get _2, _3, ... */
    void name_columns() {
        if (record_.fault != nullptr) throw Hopeless(record_.fault);
        std::unordered_set<std::string> known;
        for (std::size_t i = 0; i < record_.count; i++) {
            std::string name = text(record_.fields[i]);
            if (name.empty()) name = "column_" + std::to_string(i + 1);
            std::string unique = name;
            for (int n = 2; !known.insert(unique).second; n++) unique = name + "_" + std::to_string(n);
            names_.push_back(unique);
        }
    }

    void number_columns() {
        for (std::size_t i = 0; i < record_.count; i++) names_.push_back("column_" + std::to_string(i + 1));
    }

    std::string value(const field &f) const {
        const std::string bytes = text(f);
        if (rules_.infers && !f.quoted) {
            if (bytes.empty()) return "null";
            if (bytes == "true" || bytes == "false" || bytes == "null" || is_number(bytes)) return bytes;
        }
        std::string out(bytes.size() * 6 + 2, '"');
        int repaired = 0;
        const std::size_t length = json_escape(bytes.data(), bytes.size(), &out[1], &repaired);
        out.resize(length + 1);
        return out + "\"";
    }

    CsvRules rules_;
    std::vector<std::string> names_;
    reader reader_ = {};
    record record_ = {};
};

/* Quoted where it has to be, and where an empty field would be taken for a blank line. */
class CsvSink : public Sink {
  public:
    CsvSink(writer &out, char delimiter, std::vector<std::string> columns)
        : out_(out), delimiter_(delimiter), columns_(std::move(columns)), specials_(std::string("\"\r\n") + delimiter) {
        for (std::size_t i = 0; i < columns_.size(); i++) {
            places_.emplace(columns_[i], i);
            field(i, columns_[i]);
        }
        if (!columns_.empty()) writer_put(&out_, "\n", 1);
    }

    void put(const Record &record) override {
        std::vector<const Member *> fields(columns_.size(), nullptr);
        for (const Member &member : record) {
            const auto place = places_.find(member.name);
            if (place != places_.end()) fields[place->second] = &member;
        }
        for (std::size_t i = 0; i < fields.size(); i++) {
            if (fields[i] == nullptr || fields[i]->value == "null") field(i, {});
            else if (fields[i]->value.front() == '"') field(i, unquote(fields[i]->value));
            else field(i, fields[i]->value); /* numbers, truth values; arrays and objects as their JSON */
        }
        writer_put(&out_, "\n", 1);
    }

  private:
    void field(std::size_t index, const std::string &text) {
        if (index > 0) writer_put(&out_, &delimiter_, 1);
        const bool is_plain = text.find_first_of(specials_) == std::string::npos && !(text.empty() && columns_.size() == 1);
        if (is_plain) {
            writer_put(&out_, text.data(), text.size());
            return;
        }
        std::string quoted = "\"";
        for (const char c : text) quoted.append(c == '"' ? 2 : 1, c);
        quoted += '"';
        writer_put(&out_, quoted.data(), quoted.size());
    }

    writer &out_;
    char delimiter_;
    std::vector<std::string> columns_;
    std::string specials_;
    std::unordered_map<std::string, std::size_t> places_;
};

/* ---- JSON ---- */

/* Bytes one by one, with a buffer behind. */
class Bytes {
  public:
    explicit Bytes(int fd) : fd_(fd), buffer_(READER_BUFFER, '\0') {}

    /* -1 at the end. */
    int next() {
        if (at_ == filled_ && !fill()) return -1;
        return static_cast<unsigned char>(buffer_[at_++]);
    }
    int peek() {
        if (at_ == filled_ && !fill()) return -1;
        return static_cast<unsigned char>(buffer_[at_]);
    }
    std::uint64_t count() const { return total_ - (filled_ - at_); }

  private:
    bool fill() {
        for (;;) {
            const ssize_t got = ::read(fd_, &buffer_[0], buffer_.size());
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) throw Unreadable{errno};
            at_ = 0;
            filled_ = static_cast<std::size_t>(got);
            total_ += filled_;
            return got > 0;
        }
    }

    int fd_;
    std::string buffer_;
    std::size_t at_ = 0, filled_ = 0;
    std::uint64_t total_ = 0;
};

void skip_mark(Bytes &in) {
    if (in.peek() != 0xEF) return;
    in.next();
    if (in.next() != 0xBB || in.next() != 0xBF) throw Hopeless("it is no UTF-8");
}

class LinesSource : public Source {
  public:
    explicit LinesSource(int fd) : in_(fd) { skip_mark(in_); }

    bool next(Record &record) override {
        for (;;) {
            if (in_.peek() < 0) return false;
            line_++;
            text_.clear();
            for (int c = in_.next(); c >= 0 && c != '\n'; c = in_.next()) {
                if (text_.size() == RECORD_BYTES_MAX) throw Hopeless("the line is longer than 16 MiB");
                text_ += static_cast<char>(c);
            }
            if (text_.find_first_not_of(" \t\r") == std::string::npos) continue;
            record = parse_object(text_);
            return true;
        }
    }
    std::uint64_t bytes() const override { return in_.count(); }
    std::string place() const override { return "line " + std::to_string(line_); }

  private:
    Bytes in_;
    std::string text_;
    std::uint64_t line_ = 0;
};

/* An array of objects, element by element: brackets and quotes are counted, then the element is looked into. */
class ArraySource : public Source {
  public:
    explicit ArraySource(int fd) : in_(fd) {
        skip_mark(in_);
        if (space() != '[') throw Hopeless("the file is no JSON array");
        in_.next();
        if (space() == ']') end();
    }

    bool next(Record &record) override {
        if (ended_) return false;
        element_++;
        element();
        const int c = space();
        if (c == ']') end();
        else if (c == ',') in_.next();
        else throw Hopeless(c < 0 ? "the file ends before its array does" : "a comma or ] is missing");
        record = parse_object(text_);
        return true;
    }
    std::uint64_t bytes() const override { return in_.count(); }
    std::string place() const override { return "element " + std::to_string(element_); }

  private:
    int space() {
        while (in_.peek() == ' ' || in_.peek() == '\t' || in_.peek() == '\r' || in_.peek() == '\n') in_.next();
        return in_.peek();
    }

    void end() {
        in_.next();
        ended_ = true;
        if (space() >= 0) throw Hopeless("something follows the array");
    }

    /* One value's text, however long its strings; what it is worth is somebody else's matter. */
    void element() {
        text_.clear();
        space();
        bool is_string = false, is_escape = false;
        int depth = 0;
        for (int c = in_.peek(); c >= 0; c = in_.peek()) {
            if (!is_string && depth == 0 && (c == ',' || c == ']')) return;
            in_.next();
            if (text_.size() == RECORD_BYTES_MAX) throw Hopeless("the element is longer than 16 MiB");
            text_ += static_cast<char>(c);
            if (is_string) {
                if (is_escape) is_escape = false;
                else if (c == '\\') is_escape = true;
                else if (c == '"') is_string = false;
            } else if (c == '"') is_string = true;
            else if (c == '{' || c == '[') depth++;
            else if (c == '}' || c == ']') depth--;
        }
        throw Hopeless("the file ends before its array does");
    }

    Bytes in_;
    std::string text_;
    std::uint64_t element_ = 0;
    bool ended_ = false;
};

class JsonSink : public Sink {
  public:
    JsonSink(writer &out, bool is_array) : out_(out), is_array_(is_array) {}

    void put(const Record &record) override {
        if (is_array_) writer_put(&out_, is_first_ ? "[\n" : ",\n", 2);
        is_first_ = false;
        const char *before = "{";
        for (const Member &member : record) {
            writer_put(&out_, before, 1);
            writer_put_string(&out_, member.name.data(), member.name.size());
            writer_put(&out_, ":", 1);
            writer_put(&out_, member.value.data(), member.value.size());
            before = ",";
        }
        if (record.empty()) writer_put(&out_, "{", 1);
        writer_put(&out_, is_array_ ? "}" : "}\n", is_array_ ? 1 : 2);
    }

    void finish() override {
        if (is_array_) writer_put(&out_, is_first_ ? "[]\n" : "\n]\n", 3);
    }

  private:
    writer &out_;
    bool is_array_;
    bool is_first_ = true;
};

} // namespace

std::unique_ptr<Source> open_source(const std::string &format, int fd, const CsvRules &rules) {
    if (format == "csv") return std::make_unique<CsvSource>(fd, rules);
    if (format == "jsonl") return std::make_unique<LinesSource>(fd);
    return std::make_unique<ArraySource>(fd);
}

std::unique_ptr<Sink> open_sink(const std::string &format, writer &out, char delimiter, std::vector<std::string> columns) {
    if (format == "csv") return std::make_unique<CsvSink>(out, delimiter, std::move(columns));
    return std::make_unique<JsonSink>(out, format == "json");
}

} // namespace data
