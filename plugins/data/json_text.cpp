/* json_text.cpp - one pass, no recursion deeper than DEPTH_MAX. */
#include "json_text.hpp"

#include <cstdint>

namespace data {
namespace {

constexpr int DEPTH_MAX = 200;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

class Scanner {
  public:
    explicit Scanner(std::string_view text) : text_(text) {}

    /* One value, appended without space. */
    void value(std::string &out, int depth = 0) {
        if (depth > DEPTH_MAX) throw Malformed("it is nested deeper than 200 levels");
        space();
        switch (peek()) {
        case '{': return container(out, '}', depth);
        case '[': return container(out, ']', depth);
        case '"': return string(out);
        case 't': return word(out, "true");
        case 'f': return word(out, "false");
        case 'n': return word(out, "null");
        default: return number(out);
        }
    }

    Record object() {
        space();
        if (peek() != '{') throw Malformed("it is no object");
        at_++;
        Record record;
        space();
        if (peek() == '}') at_++;
        else
            for (char c = ','; c == ',';) {
                Member member;
                std::string key;
                space();
                string(key);
                expect(':');
                value(member.value);
                member.name = unquote(key);
                put(record, std::move(member));
                space();
                c = next();
                if (c != ',' && c != '}') fail("a comma or } is missing");
            }
        end();
        return record;
    }

    /* Nothing but space follows. */
    void end() {
        space();
        if (at_ < text_.size()) fail("something follows it");
    }

    void number(std::string &out) {
        const std::size_t start = at_;
        if (peek() == '-') at_++;
        if (peek() == '0') at_++;
        else digits();
        if (peek() == '.') {
            at_++;
            digits();
        }
        if (peek() == 'e' || peek() == 'E') {
            at_++;
            if (peek() == '+' || peek() == '-') at_++;
            digits();
        }
        out.append(text_.substr(start, at_ - start));
    }

  private:
    static void put(Record &record, Member member) {
        for (Member &known : record)
            if (known.name == member.name) {
                known.value = std::move(member.value);
                return;
            }
        record.push_back(std::move(member));
    }

    void container(std::string &out, char close, int depth) {
        out += next();
        space();
        if (peek() == close) {
            out += next();
            return;
        }
        for (;;) {
            if (close == '}') {
                space();
                string(out);
                expect(':');
                out += ':';
            }
            value(out, depth + 1);
            space();
            const char c = next();
            out += c;
            if (c == close) return;
            if (c != ',') fail("a comma or bracket is missing");
        }
    }

    void string(std::string &out) {
        const std::size_t start = at_;
        if (next() != '"') fail("a string is missing");
        for (;;) {
            const char c = next();
            if (c == '"') break;
            if (static_cast<unsigned char>(c) < 0x20) fail("a string holds a control character");
            if (c != '\\') continue;
            const char escape = next();
            if (escape == 'u') {
                for (int i = 0; i < 4; i++)
                    if (std::string_view("0123456789abcdefABCDEF").find(next()) == std::string_view::npos)
                        fail("\\u needs four hexadecimal digits");
            } else if (std::string_view("\"\\/bfnrt").find(escape) == std::string_view::npos) {
                fail("there is no such escape");
            }
        }
        out.append(text_.substr(start, at_ - start));
    }

    void word(std::string &out, std::string_view word) {
        if (text_.substr(at_, word.size()) != word) fail("a value is missing");
        at_ += word.size();
        out += word;
    }

    void digits() {
        if (!is_digit(peek())) fail("a value is missing");
        while (is_digit(peek())) at_++;
    }

    void expect(char c) {
        space();
        if (next() != c) fail(std::string(1, c) + " is missing");
    }

    void space() {
        while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) at_++;
    }

    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

    char next() {
        if (at_ >= text_.size()) throw Malformed("it ends too early");
        return text_[at_++];
    }

    [[noreturn]] void fail(const std::string &what) const {
        throw Malformed(what + " at byte " + std::to_string(at_));
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

void put_utf8(std::string &out, std::uint32_t c) {
    if (c < 0x80) out += static_cast<char>(c);
    else if (c < 0x800) {
        out += static_cast<char>(0xC0 | c >> 6);
        out += static_cast<char>(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        out += static_cast<char>(0xE0 | c >> 12);
        out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
        out += static_cast<char>(0x80 | (c & 0x3F));
    } else {
        out += static_cast<char>(0xF0 | c >> 18);
        out += static_cast<char>(0x80 | (c >> 12 & 0x3F));
        out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
        out += static_cast<char>(0x80 | (c & 0x3F));
    }
}

std::uint32_t hex4(std::string_view digits) { return static_cast<std::uint32_t>(std::stoul(std::string(digits), nullptr, 16)); }

} // namespace

Record parse_object(std::string_view text) { return Scanner(text).object(); }

std::string unquote(std::string_view json) {
    std::string out;
    for (std::size_t i = 1; i + 1 < json.size(); i++) {
        if (json[i] != '\\') {
            out += json[i];
            continue;
        }
        switch (json[++i]) {
        case 'b': out += '\b'; break;
        case 'f': out += '\f'; break;
        case 'n': out += '\n'; break;
        case 'r': out += '\r'; break;
        case 't': out += '\t'; break;
        case 'u': {
            std::uint32_t c = hex4(json.substr(i + 1, 4));
            i += 4;
            if (c >= 0xD800 && c < 0xDC00 && json.substr(i + 1, 2) == "\\u") {
                const std::uint32_t low = hex4(json.substr(i + 3, 4));
                if (low >= 0xDC00 && low < 0xE000) {
                    c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
                    i += 6;
                }
            }
            put_utf8(out, c >= 0xD800 && c < 0xE000 ? 0xFFFD : c); /* half a pair says nothing */
            break;
        }
        default: out += json[i];
        }
    }
    return out;
}

bool is_number(std::string_view text) {
    std::string out;
    try {
        Scanner scanner(text);
        scanner.number(out);
        return out.size() == text.size();
    } catch (const Malformed &) {
        return false;
    }
}

} // namespace data
