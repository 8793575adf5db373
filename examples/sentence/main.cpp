// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads sentences with MiniLM-L6: how alike they are, and which words one head of attention looks at.
//
//   sentence "A cat sits on the mat." "A kitten rests on a rug." "Stocks fell sharply."
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <unistd.h>

#include "heat_map.hpp"
#include "model.hpp"
#include "references.hpp"
#include "timing.hpp"
#include "tokenizer.hpp"

namespace {

// What the command line asks for.
struct options {
  std::vector<std::string> sentences{"A cat sits on the mat.",
                                     "A kitten is resting on a rug.",
                                     "El gato duerme sobre la alfombra.",
                                     "The stock market fell sharply today.",
                                     "Shares lost much of their value this morning.",
                                     "Attention is a weighted mean of values."};
  std::filesystem::path model{ATTEND_SENTENCE_MODEL}, svg, references;
  sentence::precision precision = sentence::precision::f32;
  std::size_t layer = 3, head = 5, drawn = 1; // counted from 1
  int rounds = 0;
};

// Which words each word of a sentence looks at, in one head of one layer.
sentence::heat_map picture_of(std::vector<std::int32_t> const& ids, sentence::tokenizer const& tokenize,
                              sentence::model& net, options const& chosen) {
  using namespace attend::dims;
  auto const weights = net.weights(ids, chosen.layer - 1); // (b, s, n, s')
  sentence::heat_map map;
  map.title = "layer " + std::to_string(chosen.layer) + ", head " + std::to_string(chosen.head) +
              ": each row's word looks at the columns' words";
  for (auto const id : ids) map.rows.push_back(tokenize.piece(id));
  map.columns = map.rows;
  for (std::size_t i = 0; i < ids.size(); ++i)
    for (std::size_t j = 0; j < ids.size(); ++j)
      map.values.push_back(weights(s = i, n = chosen.head - 1, prime(s) = j));
  return map;
}

int run(options const& chosen) {
  sentence::tokenizer const tokenize{chosen.model / "vocab.txt"};
  sentence::model net{chosen.model, chosen.precision};

  if (chosen.rounds > 0) return print_times(std::cout, tokenize, net, chosen.rounds), EXIT_SUCCESS;
  if (!chosen.references.empty())
    return agrees_with_references(std::cout, chosen.references, tokenize, net) ? EXIT_SUCCESS : EXIT_FAILURE;

  bool const coloured = isatty(STDOUT_FILENO) && std::getenv("NO_COLOR") == nullptr;
  std::vector<sentence::token_ids> ids;
  for (auto const& text : chosen.sentences) ids.push_back(tokenize(text));

  auto const embeddings = net.embed(ids);            // (b, c), each of length 1
  auto const alike = net.similarities(embeddings); // (b, b')
  std::cout << "How alike the sentences are, from -1 to 1:\n";
  sentence::print_similarities(std::cout, chosen.sentences, {alike.begin(), alike.end()}, coloured);

  auto const map = picture_of(ids.at(chosen.drawn - 1), tokenize, net, chosen);
  std::cout << "\nSentence " << chosen.drawn << ", ";
  print(std::cout, map, coloured);
  if (!chosen.svg.empty()) {
    std::ofstream file{chosen.svg};
    write_svg(file, map);
    if (!file.flush()) throw std::runtime_error{"can't write '" + chosen.svg.string() + "'"};
    std::cout << "drawn in " << chosen.svg.string() << '\n';
  }
  return EXIT_SUCCESS;
}

} // namespace

int main(int count, char** arguments) {
  options chosen;
  CLI::App app{"How alike are sentences, and what does a head of attention look at? MiniLM-L6 answers."};
  app.add_option("sentences", chosen.sentences, "what to read; some examples by default");
  app.add_option("--model", chosen.model, "folder with model.safetensors and vocab.txt")->capture_default_str();
  app.add_flag_callback("--bf16", [&] { chosen.precision = sentence::precision::bf16; }, "multiply numbers of 16 bits, faster where the processor does");
  app.add_option("--layer", chosen.layer, "layer to draw")->check(CLI::Range(1, 6))->capture_default_str();
  app.add_option("--head", chosen.head, "head to draw")->check(CLI::Range(1, 12))->capture_default_str();
  app.add_option("--draw", chosen.drawn, "number of the sentence to draw")->capture_default_str();
  app.add_option("--svg", chosen.svg, "also draw into this file");
  app.add_option("--references", chosen.references, "compare with the original's stored answers instead");
  app.add_option("--bench", chosen.rounds, "print the times of this many rounds of 64 x 120 tokens instead");
  CLI11_PARSE(app, count, arguments);
  try {
    if (chosen.drawn < 1 || chosen.drawn > chosen.sentences.size())
      throw std::runtime_error{"--draw wants the number of a sentence, 1 to " + std::to_string(chosen.sentences.size())};
    return run(chosen);
  } catch (std::exception const& error) {
    std::cerr << "sentence: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
