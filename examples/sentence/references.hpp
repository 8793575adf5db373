// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The check against the Python original's stored answers, which references/make_references.py writes.
#pragma once

#include <cmath>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "model.hpp"
#include "tokenizer.hpp"

namespace sentence {

/// Tokenizes and embeds every stored text, prints how far ids and embeddings are from the stored ones, and answers
/// whether all ids are equal and no element of an embedding differs by more than 1e-4.
inline bool agrees_with_references(std::ostream& out, std::filesystem::path const& path, tokenizer const& tokenize,
                                   model& net) {
  std::ifstream file{path};
  if (!file) throw std::runtime_error{"can't read '" + path.string() + "'"};
  auto const stored = nlohmann::json::parse(file);
  std::size_t const longest = stored.at("longest");

  std::vector<token_ids> texts;
  std::size_t different = 0;
  for (auto const& entry : stored.at("texts")) {
    texts.push_back(tokenize(entry.at("text").get<std::string>(), longest));
    if (texts.back() == entry.at("ids").get<token_ids>()) continue;
    ++different;
    out << "other ids: " << entry.at("text") << '\n';
  }

  auto const embeddings = net.embed(texts);
  double worst = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    auto const expected = stored.at("texts").at(i).at("embedding").get<std::vector<double>>();
    auto const* const row = &embeddings(b = i);
    for (std::size_t k = 0; k < expected.size(); ++k) {
      auto const distance = std::abs(static_cast<double>(row[k]) - expected[k]);
      if (!(distance <= worst)) worst = distance; // a NaN too is the worst
    }
  }
  out << texts.size() << " texts, " << different << " with other ids than the original; embeddings differ by at most "
      << worst << '\n';
  return different == 0 && worst <= 1e-4;
}

} // namespace sentence
