// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Times the cases by Google Benchmark: all that a filter names, or one at a time as a driver asks for them.
//
//   bench [--threads N] [--benchmark_filter=REGEX ...]     a table, as Google Benchmark prints it
//   bench [--threads N] --list                             the compiler and every case as one JSON object
//   bench [--threads N] --serve                            reads a case's name a line, answers with JSON a line
#include "listing.hpp"
#include <CLI/CLI.hpp>
#include <algorithm>
#include <benchmark/benchmark.h>
#include <iostream>
#include <list>
#include <oneapi/tbb/global_control.h>
#include <string>
#include <utility>

namespace {

using nlohmann::json;

// The two cases asked for last stay ready, so that a case and the one it is compared with can take turns.
bench::call const& ready(bench::named_case const& c) {
  static std::list<std::pair<bench::named_case const*, bench::call>> kept;
  auto const found = std::find_if(kept.begin(), kept.end(), [&](auto const& x) { return x.first == &c; });
  if (found != kept.end()) kept.splice(kept.begin(), kept, found);
  else {
    if (kept.size() > 1) kept.pop_back(); // frees its memory before more is taken
    kept.emplace_front(&c, c.prepare());
    kept.front().second(); // warms up
  }
  return kept.front().second;
}

void register_all() {
  bench::add_ceilings();
  bench::add_phases();
  bench::add_forward();
  bench::add_scores();
  bench::add_decode();
  for (auto const& c : bench::all_cases())
    benchmark::RegisterBenchmark(c.name.c_str(), [&c](benchmark::State& state) {
      auto const& repeat = ready(c);
      for (auto _ : state) repeat();
      auto const rate = [](double x) { return benchmark::Counter(x, benchmark::Counter::kIsIterationInvariantRate); };
      if (c.flops > 0) state.counters["FLOP/s"] = rate(c.flops);
      if (c.bytes > 0) state.counters["B/s"] = rate(c.bytes);
    })->UseRealTime();
}

json listing() {
#if defined(__clang__)
  std::string const compiler = "clang++ " + std::to_string(__clang_major__) + "." + std::to_string(__clang_minor__);
#else
  std::string const compiler = "g++ " __VERSION__;
#endif
#if defined(__AMX_BF16__)
  char const* const vectors = "AVX-512 and bf16 tiles (AMX)";
#elif defined(__AVX512BF16__)
  char const* const vectors = "AVX-512 with bf16";
#elif defined(__AVX512F__)
  char const* const vectors = "AVX-512";
#elif defined(__AVX2__)
  char const* const vectors = "AVX2";
#else
  char const* const vectors = "baseline";
#endif
  json all = bench::listing_of_cases();
  all.update({{"compiler", compiler}, {"flags", BENCH_FLAGS}, {"vectors", vectors}});
  return all;
}

// Keeps the seconds of a call where the console reporter would print them.
struct seconds_reporter : benchmark::BenchmarkReporter {
  bool ReportContext(Context const&) override { return true; }
  void ReportRuns(std::vector<Run> const& runs) override {
    for (auto const& run : runs)
      answer = {{"seconds", run.real_accumulated_time / static_cast<double>(run.iterations)},
                {"calls", run.iterations}};
  }
  json answer = {{"error", "no such case"}};
};

void serve() {
  for (std::string name; std::getline(std::cin, name);) {
    seconds_reporter reporter;
    benchmark::RunSpecifiedBenchmarks(&reporter, "^" + name + "/real_time$");
    std::cout << reporter.answer.dump() << std::endl;
  }
}

} // namespace

int main(int argc, char** argv) {
  bool list = false, on_request = false;
  int threads = 2;
  CLI::App app{"Times attention; options of Google Benchmark are passed on."};
  app.add_option("--threads", threads, "parallel workers")->check(CLI::PositiveNumber);
  app.add_flag("--list", list, "print the cases as JSON");
  app.add_flag("--serve", on_request, "time the cases named on standard input, one a line");
  app.allow_extras();
  CLI11_PARSE(app, argc, argv);

  std::vector<std::string> others = app.remaining();
  std::vector<char*> passed{argv[0]};
  for (auto& other : others) passed.push_back(other.data());
  int count = static_cast<int>(passed.size());
  passed.push_back(nullptr);
  benchmark::Initialize(&count, passed.data());
  if (benchmark::ReportUnrecognizedArguments(count, passed.data())) return EXIT_FAILURE;

  tbb::global_control const workers(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(threads));
  register_all();
  if (list) std::cout << listing().dump(1) << '\n';
  else if (on_request) serve();
  else benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
