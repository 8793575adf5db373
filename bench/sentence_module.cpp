// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The model of examples/sentence on a batch of sentences, timed on request: as peers.py, a line of JSON each way.
//
//   bench_sentence FOLDER [--model FOLDER] [--bf16] [--threads N] [--seconds S]
//
// FOLDER holds ids.npy and texts.txt as sentence_module.py writes them; the embeddings go there too. A case is named
// `sentence/ids` or, where tokenizing is timed too, `sentence/texts`.
#include "npy.hpp"
#include <CLI/CLI.hpp>
#include <attend/nn/npy.hpp>
#include <chrono>
#include <functional>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <model.hpp>
#include <nlohmann/json.hpp>
#include <oneapi/tbb/global_control.h>
#include <stdexcept>
#include <string>
#include <tokenizer.hpp>
#include <vector>

namespace {

using nlohmann::json;
using embeddings = sentence::model::vectors;

struct options {
  std::filesystem::path folder, model{ATTEND_SENTENCE_MODEL};
  sentence::precision precision = sentence::precision::f32;
  int threads = 2;
  double seconds = 0.3;
};

std::vector<sentence::token_ids> read_ids(std::filesystem::path const& path) {
  attend::nn::npy_file const file(path);
  auto const all = file.elements<std::int32_t>(file.shape(), "ids");
  auto const length = all.size() / static_cast<std::size_t>(file.shape().at(0));
  std::vector<sentence::token_ids> rows;
  for (std::size_t i = 0; i < all.size(); i += length) rows.emplace_back(&all[i], &all[i] + length);
  return rows;
}

std::vector<std::string> read_lines(std::filesystem::path const& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

// The model, loaded when it is first asked for so that its memory is the case's.
struct side {
  options chosen;
  std::unique_ptr<sentence::model> net;

  std::function<embeddings()> prepare(std::string const& name) {
    if (!net) net = std::make_unique<sentence::model>(chosen.model, chosen.precision);
    if (name == "sentence/ids") return [this, ids = read_ids(chosen.folder / "ids.npy")] { return net->embed(ids); };
    if (name != "sentence/texts") throw std::runtime_error("no such case");
    auto const tokenize = std::make_shared<sentence::tokenizer>(chosen.model / "vocab.txt");
    return [this, tokenize, texts = read_lines(chosen.folder / "texts.txt")] {
      std::vector<sentence::token_ids> ids;
      for (auto const& text : texts) ids.push_back((*tokenize)(text));
      return net->embed(ids);
    };
  }
};

// The mean over as many calls as fill the seconds.
json time(std::function<embeddings()> const& call, double seconds) {
  long calls = 0;
  auto const start = std::chrono::steady_clock::now();
  for (;;) {
    call();
    ++calls;
    std::chrono::duration<double> const passed = std::chrono::steady_clock::now() - start;
    if (passed.count() >= seconds) return {{"seconds", passed.count() / static_cast<double>(calls)}, {"calls", calls}};
  }
}

void serve(options const& chosen) {
  std::cout << json{{"version", "attend"}}.dump() << std::endl;
  side ours{chosen, nullptr};
  std::map<std::string, std::function<embeddings()>> ready;
  for (std::string line; std::getline(std::cin, line);) try {
      std::string const name = json::parse(line).at("name");
      auto& call = ready[name];
      if (!call) {
        call = ours.prepare(name);
        auto const found = call(); // warms up
        auto const file = (chosen.precision == sentence::precision::bf16 ? "ours_bf16-" : "ours-") + name.substr(name.find('/') + 1) + ".npy";
        bench::write_npy<float>(chosen.folder / file, {found.data(), static_cast<std::size_t>(found.size())}, {found.extent(sentence::b), sentence::features.size()});
      }
      std::cout << time(call, chosen.seconds).dump() << std::endl;
    } catch (std::exception const& error) {
      std::cout << json{{"error", error.what()}}.dump() << std::endl;
    }
}

} // namespace

int main(int argc, char** argv) {
  options chosen;
  CLI::App app{"Times the sentence model on request, by standard input and output."};
  app.add_option("folder", chosen.folder, "what to embed; embeddings go there too")->required()->check(CLI::ExistingDirectory);
  app.add_option("--model", chosen.model, "folder with model.safetensors and vocab.txt")->capture_default_str();
  app.add_flag_callback("--bf16", [&] { chosen.precision = sentence::precision::bf16; }, "multiply bf16");
  app.add_option("--threads", chosen.threads, "parallel workers")->check(CLI::PositiveNumber);
  app.add_option("--seconds", chosen.seconds, "least time of an answer");
  CLI11_PARSE(app, argc, argv);
  tbb::global_control const workers(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(chosen.threads));
  serve(chosen);
}
