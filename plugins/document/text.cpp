#include "text.hpp"

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace document {
namespace {

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

/* The character at `at`, which moves behind it; U+FFFD for what is none. */
char32_t next_character(std::string_view text, std::size_t &at) {
    const auto lead = static_cast<unsigned char>(text[at++]);
    if (lead < 0x80) return lead;
    const int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
    if (more == 0) return 0xFFFD;
    char32_t c = static_cast<char32_t>(lead & (0x3F >> more));
    for (int i = 0; i < more; i++) {
        if (at >= text.size() || !is_continuation(text[at])) return 0xFFFD;
        c = c << 6 | (static_cast<unsigned char>(text[at++]) & 0x3F);
    }
    return c;
}

bool is_space(char32_t c) {
    return c == ' ' || (c >= 9 && c <= 13) || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200B) ||
           c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000 || c == 0xFEFF;
}

bool ends_sentence(char32_t c) { return c == '.' || c == '!' || c == '?' || c == 0x2026 || c == 0x203D; }
/* These stand without a blank behind them. */
bool ends_sentence_alone(char32_t c) { return c == 0x3002 || c == 0xFF01 || c == 0xFF1F; }
bool closes(char32_t c) { return c == '"' || c == '\'' || c == ')' || c == ']' || c == 0x2019 || c == 0x201D || c == 0xBB; }

/* Letters of scripts without case, and whatever else is no punctuation that we know. */
bool is_word(char32_t c) {
    if (c < 0x80) return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (c < 0xC0) return c == 0xAA || c == 0xB5 || c == 0xBA;
    if (c == 0xD7 || c == 0xF7 || c == 0xFFFD) return false;
    return !(c >= 0x2000 && c <= 0x2BFF) && !(c >= 0x3000 && c <= 0x3004) && !(c >= 0x3008 && c <= 0x3020) &&
           !(c >= 0xFE30 && c <= 0xFE6F) && !(c >= 0xFF00 && c <= 0xFF0F) && !is_space(c);
}

/* Latin with Latin-1, Greek and Cyrillic: what their blocks tell by a distance. */
char32_t lower(char32_t c) {
    if ((c >= 'A' && c <= 'Z') || (c >= 0xC0 && c <= 0xDE && c != 0xD7) || (c >= 0x391 && c <= 0x3A9 && c != 0x3A2) ||
        (c >= 0x410 && c <= 0x42F))
        return c + 0x20;
    if (c >= 0x400 && c <= 0x40F) return c + 0x50;
    if (c >= 0x100 && c <= 0x137 && c % 2 == 0) return c + 1;
    return c;
}

void put(std::string &out, char32_t c) {
    if (c < 0x80) out += static_cast<char>(c);
    else if (c < 0x800) {
        out += static_cast<char>(0xC0 | c >> 6);
        out += static_cast<char>(0x80 | (c & 0x3F));
    } else {
        if (c < 0x10000) out += static_cast<char>(0xE0 | c >> 12);
        else {
            out += static_cast<char>(0xF0 | c >> 18);
            out += static_cast<char>(0x80 | (c >> 12 & 0x3F));
        }
        out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
        out += static_cast<char>(0x80 | (c & 0x3F));
    }
}

std::uint64_t hash(std::string_view word) {
    std::uint64_t h = 14695981039346656037u;
    for (const char c : word) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211u;
    return h;
}

std::unordered_map<std::uint64_t, std::size_t> counts_of(std::string_view text) {
    std::unordered_map<std::uint64_t, std::size_t> counts;
    for (const std::string &word : words_of(text)) counts[hash(word)]++;
    return counts;
}

/* Adds a piece, cut where it is longer than the limit. */
void add(std::vector<Sentence> &sentences, std::string_view text, int page, std::size_t limit) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    while (count_characters(text) > limit) {
        std::size_t at = 0, blank = 0;
        for (std::size_t n = 0; n < limit; n++) {
            if (text[at] == ' ') blank = at;
            next_character(text, at);
        }
        const std::size_t end = blank > 0 ? blank : at;
        sentences.push_back({std::string(text.substr(0, end)), count_characters(text.substr(0, end)), page, false});
        text.remove_prefix(end);
        while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    }
    if (!text.empty()) sentences.push_back({std::string(text), count_characters(text), page, false});
}

} // namespace

std::size_t count_characters(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation(c); }));
}

std::string collapse(std::string_view text) {
    std::string out;
    bool is_blank = false;
    for (std::size_t at = 0; at < text.size();) {
        const char32_t c = next_character(text, at);
        if (is_space(c) || c < 0x20) {
            is_blank = !out.empty();
            continue;
        }
        if (is_blank) out += ' ';
        is_blank = false;
        put(out, c);
    }
    return out;
}

std::vector<Sentence> split_sentences(const std::vector<Paragraph> &paragraphs, std::size_t limit) {
    std::vector<Sentence> sentences;
    for (const Paragraph &paragraph : paragraphs) {
        const std::string_view text = paragraph.text;
        std::size_t start = 0;
        bool may_end = false;
        for (std::size_t at = 0; at < text.size();) {
            const std::size_t here = at;
            const char32_t c = next_character(text, at);
            if (c == ' ' && may_end) {
                add(sentences, text.substr(start, here - start), paragraph.page, limit);
                start = at;
            }
            if (ends_sentence_alone(c)) {
                add(sentences, text.substr(start, at - start), paragraph.page, limit);
                start = at;
            }
            may_end = ends_sentence(c) || (may_end && closes(c));
        }
        add(sentences, text.substr(start), paragraph.page, limit);
        if (!sentences.empty()) sentences.back().ends_paragraph = true;
    }
    return sentences;
}

std::vector<Chunk> make_chunks(const std::vector<Sentence> &sentences, std::size_t size, std::size_t overlap) {
    std::vector<Chunk> chunks;
    std::size_t first = 0;
    while (first < sentences.size()) {
        Chunk chunk;
        chunk.page = sentences[first].page;
        std::size_t end = first;
        for (; end < sentences.size(); end++) {
            const Sentence &sentence = sentences[end];
            const std::size_t gap = end == first ? 0 : 1;
            if (end > first && chunk.characters + gap + sentence.characters > size) break;
            if (gap > 0) chunk.text += sentences[end - 1].ends_paragraph ? '\n' : ' ';
            chunk.text += sentence.text;
            chunk.characters += gap + sentence.characters;
        }
        chunks.push_back(std::move(chunk));
        if (end == sentences.size()) break;
        /* Back over what the next chunk repeats, but never to where this one began, and leaving room for what is new. */
        std::size_t next = end, repeated = 0;
        while (next > first + 1) {
            const std::size_t more = sentences[next - 1].characters + 1;
            if (repeated + more > overlap || repeated + more + sentences[end].characters > size) break;
            repeated += more;
            next--;
        }
        first = next;
    }
    return chunks;
}

std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words;
    std::string word;
    for (std::size_t at = 0; at < text.size();) {
        const char32_t c = next_character(text, at);
        if (is_word(c)) {
            put(word, lower(c));
            continue;
        }
        if (!word.empty()) words.push_back(std::move(word));
        word.clear();
    }
    if (!word.empty()) words.push_back(std::move(word));
    return words;
}

Vectors::Vectors(const std::vector<Chunk> &chunks, std::size_t dimensions) : chunks_(chunks.size()), dimensions_(dimensions) {
    std::unordered_map<std::uint64_t, std::size_t> seen_in;
    for (const Chunk &chunk : chunks)
        for (const auto &entry : counts_of(chunk.text)) seen_in[entry.first]++;
    seen_in_.assign(seen_in.begin(), seen_in.end());
    std::sort(seen_in_.begin(), seen_in_.end());
}

std::vector<double> Vectors::of(const Chunk &chunk) const {
    std::vector<double> vector(dimensions_, 0.0);
    const auto found = counts_of(chunk.text);
    /* In the order of the hashes, so that sums are rounded alike everywhere. */
    std::vector<std::pair<std::uint64_t, std::size_t>> counts(found.begin(), found.end());
    std::sort(counts.begin(), counts.end());
    double square = 0;
    for (const auto &[word, n] : counts) {
        const auto known = std::lower_bound(seen_in_.begin(), seen_in_.end(), std::make_pair(word, std::size_t{0}));
        const double seen = known != seen_in_.end() && known->first == word ? static_cast<double>(known->second) : 0;
        const double weight =
            (1 + std::log(static_cast<double>(n))) * (std::log((1 + static_cast<double>(chunks_)) / (1 + seen)) + 1);
        vector[word % dimensions_] += word >> 63 ? -weight : weight;
    }
    for (const double x : vector) square += x * x;
    if (square > 0)
        for (double &x : vector) x /= std::sqrt(square);
    return vector;
}

} // namespace document
