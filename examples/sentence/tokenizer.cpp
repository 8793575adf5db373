// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The tokenizer's steps in the order in which the original takes them; ICU knows Unicode.
#include "tokenizer.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <stdexcept>

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/utf8.h>

namespace sentence {
namespace {

// Text that stands for itself wherever it appears, before any other step.
constexpr std::array<std::string_view, 5> special_pieces{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};

constexpr std::size_t longest_word = 100; // in code points; a longer one is unknown

// The general category's mask bit. The original's categories are those of Unicode 8: a younger character has none, and
// a few have changed since.
std::uint32_t category(UChar32 c) {
  switch (c) {
  case 0x166D: return U_GC_PO_MASK;
  case 0x1734: return U_GC_MN_MASK;
  case 0x1885:
  case 0x1886: return U_GC_LO_MASK;
  case 0xA9BD: return U_GC_MC_MASK;
  case 0x111C9: return U_GC_PO_MASK;
  default: break;
  }
  UVersionInfo age;
  u_charAge(c, age);
  return age[0] <= 8 ? U_GET_GC_MASK(c) : std::uint32_t{U_GC_CN_MASK};
}

bool is_ignored(UChar32 c) {
  if (c == '\t' || c == '\n' || c == '\r') return false;
  return c == 0 || c == 0xFFFD || (category(c) & (U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK)) != 0;
}

// The original's list of blocks, which leaves out the kana and Hangul.
bool is_chinese(UChar32 c) {
  constexpr std::array<std::array<UChar32, 2>, 8> blocks{{{0x4E00, 0x9FFF},
                                                          {0x3400, 0x4DBF},
                                                          {0x20000, 0x2A6DF},
                                                          {0x2A700, 0x2B73F},
                                                          {0x2B740, 0x2B81F},
                                                          {0x2B920, 0x2CEAF},
                                                          {0xF900, 0xFAFF},
                                                          {0x2F800, 0x2FA1F}}};
  return std::any_of(blocks.begin(), blocks.end(), [c](auto const& block) { return block[0] <= c && c <= block[1]; });
}

bool is_punctuation(UChar32 c) {
  if (c < 0x80) return u_isgraph(c) && !u_isalnum(c); // in ASCII the symbols too: $ + < = > ^ ` | ~
  return (category(c) & U_GC_P_MASK) != 0;
}

icu::UnicodeString cleaned(std::string_view utf8) {
  auto const text = icu::UnicodeString::fromUTF8({utf8.data(), static_cast<std::int32_t>(utf8.size())});
  icu::UnicodeString result;
  for (std::int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1)) {
    auto const c = text.char32At(i);
    if (is_ignored(c)) continue;
    if (is_chinese(c))
      result.append(UChar32{' '}).append(c).append(UChar32{' '});
    else
      result.append(u_isUWhiteSpace(c) ? UChar32{' '} : c);
  }
  return result;
}

icu::UnicodeString decomposed(icu::UnicodeString const& text) {
  auto status = U_ZERO_ERROR;
  auto const* const nfd = icu::Normalizer2::getNFDInstance(status);
  icu::UnicodeString result;
  if (U_SUCCESS(status)) nfd->normalize(text, result, status);
  if (U_FAILURE(status)) throw std::runtime_error{std::string{"Unicode normalisation failed: "} + u_errorName(status)};
  return result;
}

std::size_t code_points(std::string_view utf8) {
  auto const leads = [](char byte) { return !U8_IS_TRAIL(static_cast<std::uint8_t>(byte)); };
  return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), leads));
}

std::vector<std::string> lines_of(std::filesystem::path const& path) {
  std::ifstream file{path, std::ios::binary};
  if (!file) throw std::runtime_error{"can't read the vocabulary '" + path.string() + "'"};
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    lines.push_back(std::move(line));
  }
  return lines;
}

} // namespace

std::vector<std::string> words_of(std::string_view utf8) {
  std::vector<std::string> words;
  icu::UnicodeString word;
  auto const end_word = [&] {
    if (!word.isEmpty()) word.toUTF8String(words.emplace_back());
    word.remove();
  };
  auto const text = decomposed(cleaned(utf8));
  for (std::int32_t i = 0; i < text.length(); i = text.moveIndex32(i, 1)) {
    auto const c = text.char32At(i);
    if (category(c) == U_GC_MN_MASK) continue; // the accents, once decomposition has split them off
    if (u_isUWhiteSpace(c)) {
      end_word();
    } else if (is_punctuation(c)) {
      end_word();
      word.append(c);
      end_word();
    } else {
      word.append(u_tolower(c));
    }
  }
  end_word();
  return words;
}

tokenizer::tokenizer(std::filesystem::path const& vocabulary) : tokenizer{lines_of(vocabulary)} {}

tokenizer::tokenizer(std::vector<std::string> vocabulary) : pieces{std::move(vocabulary)} {
  for (std::size_t id = 0; id < pieces.size(); ++id) numbers.emplace(pieces[id], static_cast<std::int32_t>(id));
  for (auto const piece : special_pieces)
    if (!numbers.contains(piece)) throw std::runtime_error{"the vocabulary lacks " + std::string{piece}};
  pad = numbers.find("[PAD]")->second;
  unknown = numbers.find("[UNK]")->second;
  first = numbers.find("[CLS]")->second;
  last = numbers.find("[SEP]")->second;
}

std::vector<std::int32_t> tokenizer::operator()(std::string_view utf8, std::size_t longest) const {
  if (longest < 2) throw std::invalid_argument{"a tokenized text has at least [CLS] and [SEP]: longest must be >= 2"};
  std::vector<std::int32_t> ids{first};
  auto const append_text = [&](std::string_view text) {
    for (auto const& word : words_of(text)) append_word(word, ids);
  };
  while (!utf8.empty() && ids.size() < longest) {
    auto where = utf8.size();
    std::string_view special;
    for (auto const piece : special_pieces)
      if (auto const found = utf8.find(piece); found < where) where = found, special = piece;
    append_text(utf8.substr(0, where));
    if (!special.empty()) ids.push_back(numbers.find(special)->second);
    utf8.remove_prefix(where + special.size());
  }
  ids.resize(std::min(ids.size(), longest - 1));
  ids.push_back(last);
  return ids;
}

// The longest piece that starts the word, then the longest "##" piece that goes on, and so forth; a word that can't be
// put together so is unknown as a whole.
void tokenizer::append_word(std::string_view word, std::vector<std::int32_t>& ids) const {
  auto const before = ids.size();
  auto const give_up = [&] {
    ids.resize(before);
    ids.push_back(unknown);
  };
  if (code_points(word) > longest_word) return give_up();
  std::string candidate;
  while (!word.empty()) {
    candidate.assign(ids.size() == before ? "" : "##");
    auto const prefix = candidate.size();
    candidate += word;
    auto found = numbers.end();
    for (; candidate.size() > prefix; candidate.pop_back()) // bytes: half a character is no piece
      if (found = numbers.find(candidate); found != numbers.end()) break;
    if (found == numbers.end()) return give_up();
    ids.push_back(found->second);
    word.remove_prefix(candidate.size() - prefix);
  }
}

} // namespace sentence
