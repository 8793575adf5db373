// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The tokenizer: its steps on a small vocabulary, and the ids of the Python original on the model's own.
#include "../../examples/sentence/tokenizer.hpp"

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <unicode/utf8.h>

#include "support.hpp"

namespace {

using words = std::vector<std::string>;
using ids = std::vector<std::int32_t>;

sentence::tokenizer small() {
  return sentence::tokenizer{words{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "cat", "sit", "##s", "##ting",
                                   ".", "un", "##aff", "##able", "##a", "é", "中", "##é"}};
}
enum : std::int32_t { unk = 1, cls, sep, mask, a, cat, sit, s, ting, dot, un, aff, able };

TEST(words, split_at_space_and_punctuation) {
  EXPECT_EQ(sentence::words_of("A cat\tsits;  it's here..."),
            (words{"a", "cat", "sits", ";", "it", "'", "s", "here", ".", ".", "."}));
  EXPECT_EQ(sentence::words_of("$5 + 3^2 = ~|x`"), (words{"$", "5", "+", "3", "^", "2", "=", "~", "|", "x", "`"}));
  EXPECT_EQ(sentence::words_of("“so” — ¿qué? €5"), (words{"“", "so", "”", "—", "¿", "que", "?", "€5"}));
  EXPECT_EQ(sentence::words_of("a\u3000b\u00a0c\u2028d"), (words{"a", "b", "c", "d"}));
}

TEST(words, lose_case_accents_and_controls) {
  EXPECT_EQ(sentence::words_of("ÉCOLE Ångström Cafe\u0301"), (words{"ecole", "angstrom", "cafe"}));
  EXPECT_EQ(sentence::words_of("İ ΟΔΟΣ ẞ Ł"), (words{"i", "οδοσ", "ß", "ł"}));
  EXPECT_EQ(sentence::words_of("so\u00adft z\u200bw \ufeff\ufffd x\x01\x7f"), (words{"soft", "zw", "x"}));
  EXPECT_EQ(sentence::words_of(std::string_view{"a\0b", 3}), (words{"ab"}));
}

TEST(words, put_chinese_characters_apart_but_no_kana_or_hangul) {
  EXPECT_EQ(sentence::words_of("ab中文cd"), (words{"ab", "中", "文", "cd"}));
  EXPECT_EQ(sentence::words_of("\U00020000カナ"), (words{"\U00020000", "カナ"}));
  EXPECT_EQ(sentence::words_of("한"), (words{"\u1112\u1161\u11ab"})); // decomposed into its letters
}

TEST(words, survive_malformed_text) {
  EXPECT_EQ(sentence::words_of("a\xff\xc3(b"), (words{"a", "(", "b"}));
  EXPECT_EQ(sentence::words_of("caf\xc3"), (words{"caf"}));
  EXPECT_EQ(sentence::words_of("\xed\xa0\x80x"), (words{"x"})); // half a surrogate pair
  EXPECT_TRUE(sentence::words_of("").empty());
}

TEST(tokenizer, takes_the_longest_piece_first) {
  EXPECT_EQ(small()("A cat sits."), (ids{cls, a, cat, sit, s, dot, sep}));
  EXPECT_EQ(small()("unaffable"), (ids{cls, un, aff, able, sep}));
  EXPECT_EQ(small()("sitter"), (ids{cls, unk, sep})); // ##t is no piece, so the word is unknown as a whole
  EXPECT_EQ(small()("dog cats"), (ids{cls, unk, cat, s, sep}));
  EXPECT_EQ(small()(""), (ids{cls, sep}));
}

TEST(tokenizer, counts_characters_not_bytes_in_long_words) {
  std::string word{"a"};
  ids expected{cls, a};
  for (int i = 1; i < 100; ++i) word += "a", expected.push_back(14);
  expected.push_back(sep);
  EXPECT_EQ(small()(word), expected);
  EXPECT_EQ(small()(word + "a"), (ids{cls, unk, sep}));
  std::string greek; // two bytes each
  for (int i = 0; i < 100; ++i) greek += "ß";
  EXPECT_EQ(small()(greek + " cat"), (ids{cls, unk, cat, sep}));
}

TEST(tokenizer, reads_special_pieces_in_the_text) {
  EXPECT_EQ(small()("a[SEP]cat [MASK]s"), (ids{cls, a, sep, cat, mask, unk, sep}));
  EXPECT_EQ(small()("[PAD][CLS]"), (ids{cls, 0, cls, sep}));
  EXPECT_EQ(small()("[mask]"), (ids{cls, unk, unk, unk, sep}));
}

TEST(tokenizer, cuts_long_texts) {
  EXPECT_EQ(small()("a cat a cat a cat", 5), (ids{cls, a, cat, a, sep}));
  EXPECT_EQ(small()("a cat a", 5), (ids{cls, a, cat, a, sep}));
  EXPECT_EQ(small()("a cat", 2), (ids{cls, sep}));
  EXPECT_THROW(small()("a", 1), std::invalid_argument);
}

TEST(tokenizer, refuses_a_vocabulary_without_its_special_pieces) {
  EXPECT_THROW((sentence::tokenizer{words{"[PAD]", "[UNK]", "[CLS]", "[MASK]"}}), std::runtime_error);
  EXPECT_THROW((sentence::tokenizer{std::filesystem::path{"no such vocabulary"}}), std::runtime_error);
}

TEST(tokenizer, names_its_pieces) {
  EXPECT_EQ(small().piece(ting), "##ting");
  EXPECT_THROW(small().piece(18), std::out_of_range);
  EXPECT_THROW(small().piece(-1), std::out_of_range);
}

TEST(original, gives_the_same_ids_for_every_stored_text) {
  sentence::tokenizer const tokenize{model_folder() / "vocab.txt"};
  EXPECT_EQ(tokenize.size(), 30522U);
  std::size_t const longest = references().at("longest");
  ASSERT_GT(references().at("texts").size(), 30U);
  for (auto const& reference : references().at("texts")) {
    std::string const text = reference.at("text");
    EXPECT_EQ(tokenize(text, longest), reference.at("ids").get<ids>()) << text;
  }
}

TEST(original, gives_the_same_ids_for_every_character_there_is) {
  sentence::tokenizer const tokenize{model_folder() / "vocab.txt"};
  auto const& hashes = references().at("characters");
  ASSERT_EQ(hashes.size(), 0x110000U / 4096);
  for (std::int32_t block = 0; block < 0x110000 / 4096; ++block) {
    std::uint64_t hash = 0xCBF29CE484222325; // FNV-1a
    for (std::int32_t c = block * 4096; c < (block + 1) * 4096; ++c) {
      if (U_IS_SURROGATE(c)) continue;
      char text[8] = {'a'};
      std::int32_t length = 1;
      U8_APPEND_UNSAFE(text, length, c);
      text[length++] = 'b';
      for (auto const id : tokenize({text, static_cast<std::size_t>(length)}))
        hash = (hash ^ static_cast<std::uint64_t>(id)) * 0x100000001B3;
    }
    char text[17];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
    EXPECT_EQ(text, hashes[static_cast<std::size_t>(block)].get<std::string>())
        << "the block of U+" << std::hex << block * 4096;
  }
}

} // namespace
