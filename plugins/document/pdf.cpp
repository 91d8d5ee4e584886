/* pdf.cpp - PDF by Poppler: page by page, in reading order; its complaints go to the run's log. */
#include "formats.hpp"

#include <poppler-document.h>
#include <poppler-global.h>
#include <poppler-page.h>

#include <cerrno>
#include <cstring>
#include <unistd.h>

namespace document {
namespace {

constexpr int COMPLAINTS_LOGGED = 20;

struct Complaints {
    pawl::Attempt *attempt;
    int count = 0;
};

void complain(const std::string &message, void *user) {
    auto &complaints = *static_cast<Complaints *>(user);
    if (++complaints.count <= COMPLAINTS_LOGGED) complaints.attempt->debug("poppler: " + message);
}

std::string utf8(const poppler::ustring &text) {
    const poppler::byte_array bytes = text.to_utf8();
    return std::string(bytes.begin(), bytes.end());
}

bool is_small_letter(char c) { return (c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80; }

/* Lines of a page become paragraphs: an empty line, or more space, is between two; words that were divided are whole again. */
void add_page(Contents &contents, const std::string &text, int page) {
    std::string paragraph;
    const auto flush = [&] {
        std::string plain = collapse(paragraph);
        if (!plain.empty()) contents.paragraphs.push_back({std::move(plain), page});
        paragraph.clear();
    };
    for (std::size_t at = 0; at <= text.size();) {
        std::size_t end = text.find_first_of("\n\f", at);
        if (end == std::string::npos) end = text.size();
        const std::string line = collapse(std::string_view(text).substr(at, end - at));
        at = end + 1;
        if (line.empty()) {
            flush();
            continue;
        }
        const bool is_divided = paragraph.size() > 1 && paragraph.back() == '-' &&
                                is_small_letter(paragraph[paragraph.size() - 2]) && is_small_letter(line.front());
        if (is_divided) paragraph.pop_back();
        else if (!paragraph.empty()) paragraph += ' ';
        paragraph += line;
    }
    flush();
}

} // namespace

Contents read_pdf(pawl::Attempt &attempt, const std::string &path) {
    Complaints complaints{&attempt};
    poppler::set_debug_error_function(complain, &complaints);
    if (::access(path.c_str(), R_OK) != 0)
        throw pawl::Failure("document_input", "cannot read " + path + ": " + std::strerror(errno));
    const std::unique_ptr<poppler::document> file(poppler::document::load_from_file(path));
    if (!file) throw pawl::Failure("document_malformed", path + " is no PDF that can be read").retry_never();
    if (file->is_locked()) throw pawl::Failure("document_locked", path + " is locked by a password").retry_never();
    Contents contents;
    contents.title = collapse(utf8(file->info_key("Title")));
    contents.pages = file->pages();
    attempt.stage("Reading pages");
    attempt.total(static_cast<std::uint64_t>(contents.pages), "pages");
    for (int number = 0; number < contents.pages; number++) {
        attempt.check_cancelled();
        const std::unique_ptr<poppler::page> page(file->create_page(number));
        if (page) add_page(contents, utf8(page->text()), number + 1);
        else {
            attempt.warning("page " + std::to_string(number + 1) + " cannot be read", {{"page", number + 1}});
            attempt.count("errors");
        }
        attempt.advance();
    }
    return contents;
}

} // namespace document
