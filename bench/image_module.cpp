// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Cross-attention from an image to a few tokens, image and weights returned: the time of the first call and of those
// that follow, and the peak memory, measured by the process that computes it.
//
//   bench_image FOLDER [--heads 8|1] [--as-written] [--threads N] [--seconds S] [--name NAME]     prints a JSON object
//
// FOLDER holds operands and parameters as image_module.py writes them; both results go there too, as NAME-*.npy.
#include "npy.hpp"
#include "resident.hpp"
#include <CLI/CLI.hpp>
#include <attend/attend.hpp>
#include <attend/nn/npy.hpp>
#include <chrono>
#include <image_cross_attention.hpp>
#include <iostream>
#include <nlohmann/json.hpp>
#include <oneapi/tbb/global_control.h>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace image_cross_attention;
using nlohmann::json;

struct options {
  std::filesystem::path folder;
  int heads = 8, threads = 2;
  bool as_written = false;
  double seconds = 1;
  std::string name = "ours";
};

// The sizes of image and context are the files'.
struct operands {
  using picture = attend::nn::parameter<(b = 1), colours, (h = 1), (w = 1)>;
  using tokens = attend::nn::parameter<(b = 1), (s = 1), features>;
  BOOST_HANA_DEFINE_STRUCT(operands, (picture, image), (tokens, context), (parameters, module));
};

// Found where the language offers to run an expression step by step, as it is written.
template <class Results, class... E>
void evaluate_as_written(Results const& results, E const&... e) {
  if constexpr (requires { (as_written(e), ...); }) evaluate(results, as_written(e)...);
  else throw std::runtime_error("not offered: evaluation as written");
}

template <class Call>
double seconds_of(Call const& call) {
  auto const start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Times of warm calls that fill the seconds, two at least.
template <class Call>
std::vector<double> warm_calls(Call const& call, double seconds) {
  std::vector<double> times;
  for (double passed = 0; times.size() < 2 || passed < seconds; passed += times.back()) times.push_back(seconds_of(call));
  return times;
}

template <class Tensor>
void write(options const& chosen, char const* what, Tensor const& x, std::vector<long> const& shape) {
  std::span<float const> const elements{x.data(), static_cast<std::size_t>(x.size())};
  bench::write_npy(chosen.folder / (chosen.name + "-" + what + ".npy"), elements, shape);
}

// The row-major order of the weights' dims is (b, n, t, s), as PyTorch has them.
template <class Module, class... Heads>
json measure(options const& chosen, Module const& module, Heads... heads) {
  long const before = bench::resident("VmRSS");
  bench::forget_peak();

  attend::nn::npy_folder const file(chosen.folder);
  operands x;
  load(x, file);
  auto const rows = x.image.extent(b), height = x.image.extent(h), width = x.image.extent(w), keys = x.context.extent(s);
  auto image = attend::uninitialized<float>(b = rows, colours, h = height, w = width);
  auto weights = attend::uninitialized<float>(b = rows, heads..., t = height * width, s = keys);
  auto const expressions = module(x.image, x.context, x.module);
  auto const call = [&] {
    auto const results = attend::into(image, weights);
    if (chosen.as_written) evaluate_as_written(results, expressions.first, expressions.second);
    else evaluate(results, expressions.first, expressions.second);
  };
  double const first = seconds_of(call);
  auto const warm = warm_calls(call, chosen.seconds);
  long const peak = bench::resident("VmHWM");

  write(chosen, "image", image, {rows, colours.size(), height, width});
  write(chosen, "weights", weights, {rows, chosen.heads, height * width, keys});
  return {{"first", first}, {"warm", warm}, {"before", before}, {"peak", peak}};
}

json run(options const& chosen) try {
  if (chosen.heads == 8) return measure(chosen, [](auto const&... x) { return eight_heads(x...); }, n = 8_c);
  return measure(chosen, [](auto const&... x) { return one_head(x...); });
} catch (std::exception const& error) {
  return {{"error", error.what()}};
}

} // namespace

int main(int argc, char** argv) {
  options chosen;
  CLI::App app{"Measures cross-attention from an image: times and peak memory."};
  app.add_option("folder", chosen.folder, "operands and parameters; results go there too")->required()->check(CLI::ExistingDirectory);
  app.add_option("--heads", chosen.heads, "8 of 64 features or 1 of 512")->check(CLI::IsMember({8, 1}));
  app.add_flag("--as-written", chosen.as_written, "step by step in the formula's order, with no plan of the library's own");
  app.add_option("--threads", chosen.threads, "parallel workers")->check(CLI::PositiveNumber);
  app.add_option("--seconds", chosen.seconds, "least time of the warm calls together");
  app.add_option("--name", chosen.name, "what the results' files begin with");
  CLI11_PARSE(app, argc, argv);
  tbb::global_control const workers(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(chosen.threads));
  std::cout << run(chosen).dump() << '\n';
}
