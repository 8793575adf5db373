// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// BERT's uncased WordPiece tokenizer: text in, token ids out, the same ids as the Python original gives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sentence {

/// The words of `utf8` as BERT's uncased models see them: cleaned of control characters, without accents, in lower
/// case, split at white space, around every punctuation mark and around every Chinese character.
/// Malformed UTF-8 is dropped.
std::vector<std::string> words_of(std::string_view utf8);

/// Splits text into the pieces of a vocabulary and numbers them.
class tokenizer {
public:
  /// Reads `vocab.txt`, one piece a line, numbered from 0; throws `std::runtime_error` where it can't be read or lacks
  /// one of [PAD] [UNK] [CLS] [SEP] [MASK].
  explicit tokenizer(std::filesystem::path const& vocabulary);

  /// Takes the pieces themselves; throws like the other constructor.
  explicit tokenizer(std::vector<std::string> vocabulary);

  /// The ids of `utf8` between [CLS] and [SEP], at most `longest` (>= 2) of them, the end of a longer text left out.
  std::vector<std::int32_t> operator()(std::string_view utf8, std::size_t longest = 256) const;

  /// The piece that `id` stands for; throws `std::out_of_range` for a number outside the vocabulary.
  std::string const& piece(std::int32_t id) const { return pieces.at(static_cast<std::size_t>(id)); }

  /// How many pieces the vocabulary has.
  std::size_t size() const { return pieces.size(); }

  /// The id that fills up the shorter rows of a batch.
  std::int32_t padding() const { return pad; }

private:
  struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };

  void append_word(std::string_view word, std::vector<std::int32_t>& ids) const;

  std::vector<std::string> pieces;
  std::unordered_map<std::string, std::int32_t, text_hash, std::equal_to<>> numbers;
  std::int32_t pad, unknown, first, last;
};

} // namespace sentence
