/* json_text.hpp - JSON texts (RFC 8259) without trees: checks one value, takes the space out of it, and tells the members of
 * an object. Numbers stay as they are written: order, digits and escapes survive a conversion. */
#ifndef PAWL_DATA_JSON_TEXT_HPP
#define PAWL_DATA_JSON_TEXT_HPP

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace data {

/* What is not JSON, in words that follow "record 7: ". */
struct Malformed : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/* A member of a record. */
struct Member {
    std::string name;  /* unescaped */
    std::string value; /* JSON, without space */
};
using Record = std::vector<Member>;

/* The members of the object that `text` is, the last one of equal names. Throws Malformed. */
Record parse_object(std::string_view text);

/* What a JSON string (with its quotes, valid) says. */
std::string unquote(std::string_view json);

/* Whether this is a JSON number, and nothing else. */
bool is_number(std::string_view text);

} // namespace data

#endif
