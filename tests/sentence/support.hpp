// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Where the tests of the sentence example find the model and the stored references.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include <nlohmann/json.hpp>

/// The folder with the model's vocabulary and weights; the environment goes before what the build knows.
inline std::filesystem::path model_folder() {
  auto const* const named = std::getenv("ATTEND_MODEL");
  return named ? named : ATTEND_SENTENCE_MODEL;
}

/// What the Python original made of the stored texts.
inline nlohmann::json const& references() {
  static auto const result = [] {
    std::ifstream file{ATTEND_SENTENCE_REFERENCES};
    if (!file) throw std::runtime_error{"can't read " ATTEND_SENTENCE_REFERENCES};
    return nlohmann::json::parse(file);
  }();
  return result;
}
