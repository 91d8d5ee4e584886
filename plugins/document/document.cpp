/* document.cpp - document.process: a PDF or HTML file becomes chunks of its text with vectors, as JSON Lines.
 *
 * pdf and html read text, text.cpp makes sentences, chunks and vectors of it; here they meet the host. */
#include <pawl.hpp>

#include "../common/output.hpp"
#include "formats.hpp"

#include <cmath>
#include <cstdio>

namespace {

using namespace document;

struct Process {
    std::string input, output;
    std::optional<std::string> format;
    std::int64_t chunk_characters = 1000;
    std::int64_t overlap_characters = 150;
    std::int64_t dimensions = 256;

    template <class Field> void fields(Field &field) {
        field("input", input, "Absolute path of the document", pawl::required());
        field("output", output, "Absolute path of the JSON Lines file to write; appears whole or not at all", pawl::required());
        field("format", format, "Of the input; else its name's ending says it", pawl::one_of({"pdf", "html"}));
        field("chunk_characters", chunk_characters, "Longest chunk", pawl::range(50, 100000));
        field("overlap_characters", overlap_characters, "How much of a chunk the next one repeats, in whole sentences",
              pawl::range(0, 50000));
        field("dimensions", dimensions, "Length of the vectors; 0: none", pawl::range(0, 8192));
    }
};

std::string format_of(const Process &args) {
    if (args.format) return *args.format;
    const std::size_t dot = args.input.rfind('.');
    std::string ending = dot == std::string::npos ? "" : args.input.substr(dot + 1);
    for (char &c : ending)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 0x20);
    if (ending == "pdf") return "pdf";
    if (ending == "html" || ending == "htm" || ending == "xhtml") return "html";
    throw pawl::InvalidInput("/format", "is needed: the file's name does not end with .pdf or .html");
}

std::string numbers(const std::vector<double> &vector) {
    std::string out = "[";
    char number[32];
    for (const double x : vector) {
        if (out.size() > 1) out += ',';
        /* Six digits are more than a hashed word is worth. */
        const double rounded = std::round(x * 1e6) / 1e6;
        out.append(number, static_cast<std::size_t>(std::snprintf(number, sizeof number, "%.6g", rounded == 0 ? 0.0 : rounded)));
    }
    return out + "]";
}

pawl::Object process(pawl::Attempt &attempt, const Process &args) {
    author::require_absolute("/input", args.input);
    author::require_absolute("/output", args.output);
    if (args.overlap_characters >= args.chunk_characters)
        throw pawl::InvalidInput("/overlap_characters", "must be less than chunk_characters");
    const std::string format = format_of(args);
    const Contents contents = format == "pdf" ? read_pdf(attempt, args.input) : read_html(attempt, args.input);
    const auto size = static_cast<std::size_t>(args.chunk_characters);
    const auto sentences = split_sentences(contents.paragraphs, size);
    const auto chunks = make_chunks(sentences, size, static_cast<std::size_t>(args.overlap_characters));
    std::size_t characters = 0;
    for (const Sentence &sentence : sentences) characters += sentence.characters;
    if (chunks.empty()) {
        attempt.warning("there is no text in it; a scan needs text recognition first");
        attempt.count("warnings");
    }

    const auto dimensions = static_cast<std::size_t>(args.dimensions);
    author::Output output(attempt, args.output, "document_output");
    attempt.stage("Writing chunks");
    attempt.total(chunks.size(), "chunks");
    const Vectors vectors(dimensions > 0 ? chunks : std::vector<Chunk>(), dimensions);
    for (std::size_t i = 0; i < chunks.size(); i++) {
        attempt.check_cancelled();
        pawl::Object line = {{"chunk", i}, {"page", chunks[i].page > 0 ? pawl::Json(chunks[i].page) : pawl::Json(nullptr)},
                             {"characters", chunks[i].characters}, {"text", chunks[i].text}};
        if (dimensions > 0) line.set("vector", pawl::Json::raw(numbers(vectors.of(chunks[i]))));
        output.put(line.text() + "\n");
        attempt.advance();
        attempt.count("chunks");
    }
    const std::string digest = output.commit();
    return {{"format", format}, {"title", contents.title.empty() ? pawl::Json(nullptr) : pawl::Json(contents.title)},
            {"pages", contents.pages > 0 ? pawl::Json(contents.pages) : pawl::Json(nullptr)}, {"characters", characters},
            {"sentences", sentences.size()}, {"chunks", chunks.size()}, {"dimensions", dimensions}, {"sha256", digest},
            {"output", args.output}};
}

#define NUMBER "{\"type\":\"integer\",\"minimum\":0}"
const pawl_handler handlers[] = {
    pawl::handler<process>("document.process", "Splits the text of a PDF or HTML file into chunks with vectors.")
        .result_schema("{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"object\",\"properties\":{"
                       "\"format\":{\"enum\":[\"pdf\",\"html\"]},\"title\":{\"type\":[\"string\",\"null\"]},"
                       "\"pages\":{\"type\":[\"integer\",\"null\"]},\"characters\":" NUMBER ",\"sentences\":" NUMBER ","
                       "\"chunks\":" NUMBER ",\"dimensions\":" NUMBER ",\"sha256\":{\"type\":\"string\"},"
                       "\"output\":{\"type\":\"string\"}},\"required\":[\"format\",\"chunks\",\"sha256\",\"output\"]}")};

} // namespace

PAWL_PLUGIN("document", "1.0.0", handlers)
