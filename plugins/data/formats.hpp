/* formats.hpp - records from files and into files, one at a time: memory for one record, not for the file. */
#ifndef PAWL_DATA_FORMATS_HPP
#define PAWL_DATA_FORMATS_HPP

#include "json_text.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

extern "C" {
#include "../csv/reader.h"
#include "../csv/writer.h"
}

namespace data {

/* A record may have so many bytes; more is a bracket or a quote that is not closed. */
constexpr std::size_t RECORD_BYTES_MAX = RECORD_MAX;

/* The file cannot be read any further. */
struct Unreadable {
    int error;
};
/* Nothing after this can be understood; words as Malformed's. */
struct Hopeless : Malformed {
    using Malformed::Malformed;
};

struct CsvRules {
    char delimiter = ',';
    bool has_header = true;
    bool infers = false;              /* numbers, truth values and empty fields become JSON's own */
    std::vector<std::string> columns; /* names; none: the header's */
};

/* Where records come from. */
class Source {
  public:
    virtual ~Source() = default;
    /* The next record; false at the end. Throws Malformed for one that can be skipped, Hopeless, Unreadable. */
    virtual bool next(Record &record) = 0;
    virtual std::uint64_t bytes() const = 0; /* read so far */
    virtual std::string place() const = 0;   /* of the last record: "line 7", "element 7" */
};

/* Where they go. The writer keeps its own error. */
class Sink {
  public:
    virtual ~Sink() = default;
    virtual void put(const Record &record) = 0;
    virtual void finish() {}
};

/* format: csv, json or jsonl. The descriptor stays the caller's. */
std::unique_ptr<Source> open_source(const std::string &format, int fd, const CsvRules &rules);
/* columns: of a CSV file, in their order. */
std::unique_ptr<Sink> open_sink(const std::string &format, writer &out, char delimiter, std::vector<std::string> columns);

} // namespace data

#endif
