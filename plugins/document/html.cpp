/* html.cpp - HTML by libxml2, as broken as it may be: what a reader of the page would see, a paragraph for each block. */
#include "formats.hpp"

#include <libxml/HTMLparser.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

namespace document {
namespace {

constexpr std::size_t HTML_BYTES_MAX = 64u << 20; /* larger files are no pages */
constexpr int DEPTH_MAX = 1000;

struct Free {
    void operator()(xmlDoc *document) const { xmlFreeDoc(document); }
};

std::string read_file(const std::string &path) {
    const auto cannot = [&](int error) {
        return pawl::Failure("document_input", "cannot read " + path + ": " + std::strerror(error));
    };
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) throw cannot(errno);
    std::string bytes;
    std::string part(1 << 18, '\0');
    for (;;) {
        const ssize_t got = ::read(fd, &part[0], part.size());
        if (got < 0 && errno == EINTR) continue;
        const int error = errno;
        if (got <= 0 || bytes.size() + static_cast<std::size_t>(got) > HTML_BYTES_MAX) {
            ::close(fd);
            if (got < 0) throw cannot(error);
            if (got > 0) throw pawl::Failure("document_too_large", path + " is larger than 64 MiB").retry_never();
            return bytes;
        }
        bytes.append(part, 0, static_cast<std::size_t>(got));
    }
}

/* Whether the bytes are UTF-8 and do not say otherwise: libxml2 would take them for Latin-1. */
const char *encoding_of(const std::string &bytes) {
    std::string head = bytes.substr(0, 4096);
    for (char &c : head)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 0x20);
    if (head.find("charset") != std::string::npos) return nullptr;
    return xmlCheckUTF8(reinterpret_cast<const unsigned char *>(bytes.c_str())) == 1 ? "UTF-8" : nullptr;
}

const std::set<std::string> BLOCKS = {
    "address", "article", "aside", "blockquote", "body", "br", "caption", "dd", "details", "dialog", "div", "dl", "dt",
    "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main",
    "nav", "ol", "option", "p", "pre", "section", "summary", "table", "tbody", "tfoot", "thead", "tr", "ul"};
const std::set<std::string> UNSEEN = {"head", "script", "style", "noscript", "template", "svg", "math", "iframe", "object"};

class Walk {
  public:
    explicit Walk(Contents &contents) : contents_(contents) {}

    void node(const xmlNode *node, int depth = 0) {
        if (depth > DEPTH_MAX) return;
        for (; node != nullptr; node = node->next) {
            if (node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE) {
                text_ += reinterpret_cast<const char *>(node->content);
                continue;
            }
            if (node->type != XML_ELEMENT_NODE) continue;
            const std::string name = reinterpret_cast<const char *>(node->name);
            if (name == "head") title(node->children);
            if (UNSEEN.count(name) > 0) continue;
            const bool is_block = BLOCKS.count(name) > 0;
            if (is_block) flush();
            this->node(node->children, depth + 1);
            if (is_block) flush();
            else if (name == "td" || name == "th") text_ += ' ';
        }
    }

    void flush() {
        std::string plain = collapse(text_);
        if (!plain.empty()) contents_.paragraphs.push_back({std::move(plain), 0});
        text_.clear();
    }

  private:
    void title(const xmlNode *node) {
        for (; node != nullptr; node = node->next) {
            if (node->type != XML_ELEMENT_NODE || std::strcmp(reinterpret_cast<const char *>(node->name), "title") != 0)
                continue;
            const std::unique_ptr<xmlChar, void (*)(void *)> text(xmlNodeGetContent(node), xmlFree);
            if (text) contents_.title = collapse(reinterpret_cast<const char *>(text.get()));
        }
    }

    Contents &contents_;
    std::string text_;
};

} // namespace

Contents read_html(pawl::Attempt &attempt, const std::string &path) {
    attempt.stage("Reading");
    const std::string bytes = read_file(path);
    attempt.total(bytes.size(), "bytes");
    Contents contents;
    if (bytes.find_first_not_of(" \t\r\n") == std::string::npos) return contents;
    /* Nothing is fetched, and nothing is printed. */
    const int options = HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING | HTML_PARSE_NONET | HTML_PARSE_COMPACT;
    const std::unique_ptr<xmlDoc, Free> tree(
        htmlReadMemory(bytes.data(), static_cast<int>(bytes.size()), nullptr, encoding_of(bytes), options));
    if (!tree) throw pawl::Failure("document_malformed", path + " is no HTML that can be read").retry_never();
    attempt.check_cancelled();
    Walk walk(contents);
    walk.node(xmlDocGetRootElement(tree.get()));
    walk.flush();
    attempt.advance(bytes.size());
    return contents;
}

} // namespace document
