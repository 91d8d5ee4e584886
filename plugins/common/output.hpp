/* output.hpp - for plugins in C++: a file that appears whole or not at all (the writer of plugins/csv), and errno in words. */
#ifndef PAWL_PLUGINS_OUTPUT_HPP
#define PAWL_PLUGINS_OUTPUT_HPP

#include <pawl.hpp>

#include <cstring>
#include <string>

extern "C" {
#include "../csv/writer.h"
}

namespace author {

/* "cannot read /a/b: No such file or directory" */
[[noreturn]] inline void cannot(const std::string &code, const char *verb, const std::string &path, int error) {
    throw pawl::Failure(code, std::string("cannot ") + verb + " " + path + ": " + std::strerror(error));
}

inline void require_absolute(const char *pointer, const std::string &path) {
    if (path.empty() || path[0] != '/' || path.find('\0') != std::string::npos)
        throw pawl::InvalidInput(pointer, "must be an absolute path");
}

class Output {
  public:
    /* code: of the failures. */
    Output(pawl::Attempt &attempt, const std::string &path, const char *code) : path_(path), code_(code) {
        const std::string run(attempt.run_id());
        writer_open(&file_, path.c_str(), run.empty() ? "run" : run.c_str());
        check();
    }
    ~Output() { writer_close(&file_); }
    Output(const Output &) = delete;
    Output &operator=(const Output &) = delete;

    void put(const std::string &bytes) {
        writer_put(&file_, bytes.data(), bytes.size());
        check();
    }
    /* Throws what went wrong with the bytes so far. */
    void check() const {
        if (file_.error != 0) cannot(code_, "write", path_, file_.error);
    }
    /* Makes it durable and gives it its name. Returns the SHA-256 of its bytes. */
    std::string commit() {
        char digest[65] = "";
        writer_commit(&file_, digest);
        check();
        return digest;
    }
    writer &file() { return file_; }
    std::uint64_t bytes() const { return file_.bytes; }

  private:
    writer file_ = {};
    std::string path_;
    const char *code_;
};

} // namespace author

#endif
