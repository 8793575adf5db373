// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Times every candidate on the first CUDA device and prints, for each head dim, score and length, the fastest tiles beside
// those that the tuning has. A run takes a minute or two.
//
//   bench_tuner [--only REGEX] [--seconds S] [--json FILE]
#include "candidates.hpp"
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <tuple>

namespace bench::tuner {

std::vector<candidate>& all_candidates() {
  static std::vector<candidate> all;
  return all;
}

namespace {

constexpr long lengths[] = {512, 2048, 8192};

struct timed {
  candidate const* of;
  double tera_flops; ///< 2 (depth + width) for each score that is kept
};

std::string head_dims(candidate const& x) {
  return std::to_string(x.depth) + (x.width == x.depth ? "" : " and " + std::to_string(x.width));
}
std::string tiles(candidate const& x) {
  return std::to_string(64 * x.consumers) + " x " + std::to_string(x.keys) + ", registers " + std::to_string(x.of_producer) + " and " + std::to_string(x.of_consumer);
}
double flops(candidate const& x, long length) {
  double const heads = static_cast<double>(heads_of(x.depth)), n = static_cast<double>(length);
  return 2.0 * (x.depth + x.width) * heads * static_cast<double>(tokens) / n * (x.score == "causal" ? n * (n + 1) / 2 : n * n);
}

int run(std::string const& only, double seconds, std::string const& file) {
  std::map<std::tuple<int, int, std::string, long>, std::vector<timed>> found;
  nlohmann::json record = nlohmann::json::array();
  for (candidate const& x : all_candidates()) {
    std::string const name = head_dims(x) + " " + x.score + " " + tiles(x);
    if (!std::regex_search(name, std::regex(only))) continue;
    for (long length : lengths) {
      call const one = x.prepare(length);
      if (!one) {
        std::cout << "The kernel of warpgroups is for devices of compute capability 9.0; this is none.\n";
        return 0;
      }
      double const rate = 1e-12 * flops(x, length) / repeated(one).seconds(seconds);
      std::fprintf(stderr, "%s, %ld keys: %.0f TFLOP/s\n", name.c_str(), length, rate);
      found[{x.depth, x.width, x.score, length}].push_back({&x, rate});
      record.push_back({{"depth", x.depth}, {"width", x.width}, {"score", x.score}, {"length", length}, {"keys", x.keys}, {"consumers", x.consumers}, {"tera_flops", rate}, {"in_use", x.in_use}});
    }
  }
  std::cout << "| head dims | score | length | fastest tiles | TFLOP/s | in use | of the fastest |\n|---|---|---|---|---|---|---|\n";
  for (auto const& [what, rates] : found) {
    auto const best = std::max_element(rates.begin(), rates.end(), [](auto const& a, auto const& b) { return a.tera_flops < b.tera_flops; });
    auto const used = std::find_if(rates.begin(), rates.end(), [](auto const& a) { return a.of->in_use; });
    std::printf("| %s | %s | %ld | %s | %.0f |", head_dims(*best->of).c_str(), std::get<2>(what).c_str(), std::get<3>(what), tiles(*best->of).c_str(), best->tera_flops);
    if (used == rates.end()) std::printf(" none | |\n");
    else std::printf(" %s | %.0f %% |\n", tiles(*used->of).c_str(), 100 * used->tera_flops / best->tera_flops);
  }
  if (!file.empty() && !(std::ofstream(file) << record.dump(1) << '\n')) throw std::runtime_error("cannot write " + file);
  return 0;
}

} // namespace
} // namespace bench::tuner

int main(int argc, char** argv) {
  std::string only, file;
  double seconds = 0.05;
  CLI::App app{"Finds the fastest tiles of the fused attention on the first CUDA device."};
  app.add_option("--only", only, "time only candidates whose name matches this regular expression");
  app.add_option("--seconds", seconds, "least time measured for each")->check(CLI::PositiveNumber);
  app.add_option("--json", file, "write all rates to this file");
  CLI11_PARSE(app, argc, argv);
  try {
    int count = 0;
    if (cudaError_t const status = cudaGetDeviceCount(&count); status != cudaSuccess || count == 0) {
      std::cout << "No CUDA device: nothing to time.\n";
      return 0;
    }
    bench::tuner::add_candidates_64();
    bench::tuner::add_candidates_96();
    bench::tuner::add_candidates_128();
    bench::tuner::add_candidates_192();
    bench::tuner::add_candidates_256();
    return bench::tuner::run(only, seconds, file);
  } catch (std::exception const& e) {
    std::cerr << "bench_tuner: " << e.what() << '\n';
    return 1;
  }
}
