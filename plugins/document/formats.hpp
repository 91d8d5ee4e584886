/* formats.hpp - the running text of PDF and HTML files. */
#ifndef PAWL_DOCUMENT_FORMATS_HPP
#define PAWL_DOCUMENT_FORMATS_HPP

#include <pawl.hpp>

#include "text.hpp"

#include <string>
#include <vector>

namespace document {

struct Contents {
    std::string title; /* empty: none */
    int pages = 0;
    std::vector<Paragraph> paragraphs;
};

/* Both throw pawl::Failure with words for people, and what the attempt throws when it is cancelled. */
Contents read_pdf(pawl::Attempt &attempt, const std::string &path);
Contents read_html(pawl::Attempt &attempt, const std::string &path);

} // namespace document

#endif
