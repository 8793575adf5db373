// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Times the model on 64 texts of 120 tokens; bench/modules.py times it beside other libraries.
#pragma once

#include <algorithm>
#include <chrono>
#include <ostream>
#include <string>
#include <vector>

#include "model.hpp"
#include "tokenizer.hpp"

namespace sentence {

/// 64 texts of 118 words that are one token each, 120 tokens with [CLS] and [SEP].
inline std::vector<std::string> timed_texts(tokenizer const& tokenize) {
  std::vector<std::string> words;
  for (std::size_t id = 0; id < tokenize.size(); ++id) {
    auto const& piece = tokenize.piece(static_cast<std::int32_t>(id));
    auto const lower = [](char c) { return 'a' <= c && c <= 'z'; };
    if (piece.size() >= 3 && std::all_of(piece.begin(), piece.end(), lower)) words.push_back(piece);
  }
  std::vector<std::string> texts(64);
  std::size_t drawn = 0;
  for (auto& text : texts)
    for (int i = 0; i < 118; ++i) text += words.at(7919 * drawn++ % words.size()) + ' ';
  return texts;
}

/// Prints the milliseconds of `rounds` rounds, one a line, from the texts to their embeddings.
inline void print_times(std::ostream& out, tokenizer const& tokenize, model& net, int rounds) {
  auto const texts = timed_texts(tokenize);
  for (int round = -1; round < rounds; ++round) { // the first warms up
    auto const start = std::chrono::steady_clock::now();
    std::vector<token_ids> ids;
    for (auto const& text : texts) ids.push_back(tokenize(text));
    auto const embeddings = net.embed(ids);
    std::chrono::duration<double, std::milli> const time = std::chrono::steady_clock::now() - start;
    if (round >= 0) out << time.count() << std::endl;
  }
}

} // namespace sentence
