/* data.cpp - data.convert: a table of records from one of CSV, JSON (an array of objects) and JSON Lines into another.
 *
 * json_text reads JSON, formats reads and writes files, record by record; here they meet, with the host's progress, log,
 * cancellation and result. The output appears whole or not at all. */
#include <pawl.hpp>

#include "../common/output.hpp"
#include "formats.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <unordered_set>

namespace {

using namespace data;
using author::cannot;

constexpr std::uint64_t FAULTS_LOGGED = 20;
constexpr std::uint64_t RECORDS_BETWEEN_LOOKS = 512; /* at cancellation and progress */
constexpr std::size_t COLUMNS_MAX = 10000;

struct Convert {
    std::string input, output;
    std::optional<std::string> from, to;
    std::string delimiter = ",";
    bool header = true;
    bool infer = false;
    bool strict = false;
    std::vector<std::string> columns;

    template <class Field> void fields(Field &field) {
        const std::vector<std::string> formats = {"csv", "json", "jsonl"};
        field("input", input, "Absolute path of the file to read", pawl::required());
        field("output", output, "Absolute path of the file to write; appears whole or not at all", pawl::required());
        field("from", from, "Format of the input; else its name's ending says it", pawl::one_of(formats));
        field("to", to, "Format of the output; else its name's ending says it", pawl::one_of(formats));
        field("delimiter", delimiter, "Between the fields of a CSV file: one ASCII character");
        field("header", header, "Whether the first record of a CSV input names its columns");
        field("infer", infer, "From CSV: unquoted numbers, true, false and null become JSON's own, empty fields null");
        field("strict", strict, "Fail at the first record that is malformed, instead of skipping and counting it");
        field("columns", columns, "Names of the columns: of a CSV input, or those of a CSV output in their order");
    }
};

/* A descriptor that is closed. */
struct File {
    int fd = -1;
    explicit File(const std::string &path) : fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
    ~File() {
        if (fd >= 0) ::close(fd);
    }
    File(const File &) = delete;
    File &operator=(const File &) = delete;
};

std::string format_of(const std::optional<std::string> &said, const std::string &path, const char *pointer) {
    if (said) return *said;
    const std::size_t dot = path.rfind('.');
    const std::string ending = dot == std::string::npos ? "" : path.substr(dot + 1);
    if (ending == "csv" || ending == "json" || ending == "jsonl") return ending;
    if (ending == "ndjson") return "jsonl";
    throw pawl::InvalidInput(pointer, "is needed: the file's name does not end with .csv, .json or .jsonl");
}

/* Reads the input once: `take` gets each record, what is malformed is counted and skipped, or the end. */
class Pass {
  public:
    Pass(pawl::Attempt &attempt, const Convert &args, const std::string &format, const CsvRules &rules, const char *stage)
        : attempt_(attempt), args_(args), format_(format), rules_(rules), stage_(stage) {}

    template <class Take> void run(bool is_telling, Take take) {
        const File file(args_.input);
        struct stat info = {};
        if (file.fd < 0 || ::fstat(file.fd, &info) != 0) cannot("data_input", "read", args_.input, errno);
        if (S_ISDIR(info.st_mode)) cannot("data_input", "read", args_.input, EISDIR);
        attempt_.stage(stage_);
        attempt_.total(S_ISREG(info.st_mode) ? static_cast<std::uint64_t>(info.st_size) : PAWL_TOTAL_UNKNOWN, "bytes");
        std::unique_ptr<Source> source;
        try {
            source = open_source(format_, file.fd, rules_);
            Record record;
            for (std::uint64_t seen = 1; read(*source, record, is_telling, take); seen++)
                if (seen % RECORDS_BETWEEN_LOOKS == 0) look(*source, is_telling);
        } catch (const Unreadable &fault) {
            cannot("data_input", "read", args_.input, fault.error);
        } catch (const Hopeless &fault) {
            throw malformed((source ? source->place() + ": " : std::string()) + fault.what());
        }
        tell(*source, is_telling);
        bytes = source->bytes();
    }

    std::uint64_t rows = 0, errors = 0, bytes = 0;

  private:
    template <class Take> bool read(Source &source, Record &record, bool is_telling, Take &take) {
        try {
            if (!source.next(record)) return false;
        } catch (const Hopeless &) {
            throw;
        } catch (const Malformed &fault) {
            skip(source.place(), fault.what(), is_telling);
            return true;
        }
        rows++;
        take(record);
        return true;
    }

    void skip(const std::string &place, const std::string &what, bool is_telling) {
        if (args_.strict) throw malformed(place + ": " + what);
        if (++errors <= FAULTS_LOGGED && is_telling)
            attempt_.warning(place + " skipped: " + what + (errors == FAULTS_LOGGED ? " (further ones are only counted)" : ""),
                             {{"place", place}});
    }

    static pawl::Failure malformed(const std::string &words) { return pawl::Failure("data_malformed", words).retry_never(); }

    void look(const Source &source, bool is_telling) {
        tell(source, is_telling);
        attempt_.check_cancelled();
    }

    void tell(const Source &source, bool is_telling) {
        attempt_.advance(source.bytes() - told_bytes_);
        told_bytes_ = source.bytes();
        if (!is_telling) return;
        if (rows > told_rows_) attempt_.count("rows", static_cast<std::int64_t>(rows - told_rows_));
        if (errors > told_errors_) attempt_.count("errors", static_cast<std::int64_t>(errors - told_errors_));
        told_rows_ = rows;
        told_errors_ = errors;
    }

    pawl::Attempt &attempt_;
    const Convert &args_;
    const std::string &format_;
    const CsvRules &rules_;
    const char *stage_;
    std::uint64_t told_rows_ = 0, told_errors_ = 0, told_bytes_ = 0;
};

/* All names of all records, in the order in which they first occur. */
std::vector<std::string> find_columns(pawl::Attempt &attempt, const Convert &args, const std::string &from, const CsvRules &rules) {
    std::vector<std::string> names;
    std::unordered_set<std::string> known;
    Pass(attempt, args, from, rules, "Finding columns").run(false, [&](const Record &record) {
        for (const Member &member : record) {
            if (!known.insert(member.name).second) continue;
            if (names.size() == COLUMNS_MAX)
                throw pawl::Failure("data_columns", "more than 10000 different names do not make a table").retry_never();
            names.push_back(member.name);
        }
    });
    return names;
}

pawl::Object convert(pawl::Attempt &attempt, const Convert &args) {
    author::require_absolute("/input", args.input);
    author::require_absolute("/output", args.output);
    const std::string from = format_of(args.from, args.input, "/from"), to = format_of(args.to, args.output, "/to");
    if (from == to) throw pawl::InvalidInput("/to", "must be another format than the input's, which is " + from);
    const unsigned char mark = args.delimiter.size() == 1 ? static_cast<unsigned char>(args.delimiter[0]) : 0;
    if (mark == 0 || mark > 127 || mark == '"' || mark == '\r' || mark == '\n')
        throw pawl::InvalidInput("/delimiter", "must be one ASCII character, and no quote or line break");
    CsvRules rules;
    rules.delimiter = args.delimiter[0];
    rules.has_header = args.header;
    rules.infers = args.infer;
    if (from == "csv") rules.columns = args.columns;
    std::vector<std::string> columns = args.columns;
    if (to == "csv" && columns.empty()) columns = find_columns(attempt, args, from, rules);

    author::Output output(attempt, args.output, "data_output");
    const auto sink = open_sink(to, output.file(), rules.delimiter, columns);
    Pass pass(attempt, args, from, rules, "Converting");
    pass.run(true, [&](const Record &record) {
        sink->put(record);
        output.check();
    });
    sink->finish();
    const std::string digest = output.commit();
    return {{"from", from}, {"to", to}, {"rows", pass.rows}, {"errors", pass.errors}, {"bytes_in", pass.bytes},
                           {"bytes_out", output.bytes()}, {"sha256", digest}, {"output", args.output}};
}

#define NUMBER "{\"type\":\"integer\",\"minimum\":0}"
const pawl_handler handlers[] = {
    pawl::handler<convert>("data.convert", "Converts a table between CSV, JSON and JSON Lines, in all directions.")
        .result_schema("{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"object\",\"properties\":{"
                       "\"from\":{\"enum\":[\"csv\",\"json\",\"jsonl\"]},\"to\":{\"enum\":[\"csv\",\"json\",\"jsonl\"]},"
                       "\"rows\":" NUMBER ",\"errors\":" NUMBER ",\"bytes_in\":" NUMBER ",\"bytes_out\":" NUMBER ","
                       "\"sha256\":{\"type\":\"string\"},\"output\":{\"type\":\"string\"}},"
                       "\"required\":[\"rows\",\"errors\",\"sha256\",\"output\"]}")};

} // namespace

PAWL_PLUGIN("data", "1.0.0", handlers)
