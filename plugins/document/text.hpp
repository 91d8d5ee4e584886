/* text.hpp - from paragraphs to sentences, chunks and vectors. Pure: no files, no host. */
#ifndef PAWL_DOCUMENT_TEXT_HPP
#define PAWL_DOCUMENT_TEXT_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace document {

/* Running text without line breaks, and the page where it stands (from 1; 0: there are none). */
struct Paragraph {
    std::string text;
    int page = 0;
};

struct Sentence {
    std::string text;
    std::size_t characters = 0;
    int page = 0;
    bool ends_paragraph = false;
};

struct Chunk {
    std::string text;
    std::size_t characters = 0;
    int page = 0; /* of its first sentence */
};

/* Unicode scalars; UTF-8 in. */
std::size_t count_characters(std::string_view text);

/* Space of every kind becomes one blank; none at the ends. */
std::string collapse(std::string_view text);

/* Sentences end at . ! ? and their kin before a blank, and with their paragraph. One longer than `limit` characters is cut at
 * blanks, or anywhere where there are none. */
std::vector<Sentence> split_sentences(const std::vector<Paragraph> &paragraphs, std::size_t limit);

/* Whole sentences, at most `size` characters in a chunk; each begins with as many of the sentences before it as have at most
 * `overlap` characters. */
std::vector<Chunk> make_chunks(const std::vector<Sentence> &sentences, std::size_t size, std::size_t overlap);

/* Words in small letters: runs of letters and digits. */
std::vector<std::string> words_of(std::string_view text);

/* Hashed TF-IDF. A word counts (1 + ln n) x (ln((1 + chunks) / (1 + chunks that have it)) + 1) at place FNV-1a(word) mod
 * dimensions, with the sign of the hash's top bit, so that words that share a place do not add up; each vector has length 1, or
 * 0 where there is no word. The same text gives the same vectors everywhere. */
class Vectors {
  public:
    Vectors(const std::vector<Chunk> &chunks, std::size_t dimensions);
    std::vector<double> of(const Chunk &chunk) const;

  private:
    std::size_t chunks_, dimensions_;
    std::vector<std::pair<std::uint64_t, std::size_t>> seen_in_; /* sorted by hash */
};

} // namespace document

#endif
