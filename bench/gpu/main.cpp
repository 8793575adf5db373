// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Times the cases on the first CUDA device, one at a time as a driver asks for them.
//
//   bench_gpu --device                  the device as one JSON object, or why there is none
//   bench_gpu --list                    every case as one JSON object
//   bench_gpu --serve [--seconds S]     reads a case's name a line, answers with JSON a line
#include "../listing.hpp"
#include "device.hpp"
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>

namespace {

using nlohmann::json;

std::string version(int number) { return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10); }

json device() {
  try {
    int driver = 0, runtime = 0;
    cudaDeviceProp chip;
    bench::must(cudaGetDeviceProperties(&chip, 0));
    bench::must(cudaDriverGetVersion(&driver));
    bench::must(cudaRuntimeGetVersion(&runtime));
    return {{"chip", chip.name},
            {"compute_capability", std::to_string(chip.major) + "." + std::to_string(chip.minor)},
            {"multiprocessors", chip.multiProcessorCount},
            {"memory_GiB", static_cast<double>(chip.totalGlobalMem >> 20) / 1024},
            {"driver_takes_CUDA", version(driver)},
            {"built_with_CUDA", version(runtime)}};
  } catch (std::exception const& e) {
    return {{"error", e.what()}};
  }
}

void serve(double seconds) {
  std::string ready; // the case asked for last, until another is
  std::unique_ptr<bench::repeated> repeated;
  for (std::string name; std::getline(std::cin, name);) {
    json answer;
    try {
      auto const& all = bench::all_cases();
      auto const found = std::find_if(all.begin(), all.end(), [&](auto const& c) { return c.name == name; });
      if (found == all.end()) throw std::invalid_argument("no such case");
      if (ready != name) {
        repeated.reset(); // frees its memory before more is taken
        ready.clear();
        repeated = std::make_unique<bench::repeated>(found->prepare());
        ready = name;
      }
      answer = {{"seconds", repeated->seconds(seconds)}};
    } catch (std::exception const& e) {
      answer = {{"error", e.what()}};
    }
    std::cout << answer.dump() << std::endl;
  }
}

} // namespace

int main(int argc, char** argv) {
  bool ask = false, list = false, on_request = false;
  double seconds = 0.1;
  CLI::App app{"Times attention on a CUDA device."};
  app.add_flag("--device", ask, "print the device as JSON");
  app.add_flag("--list", list, "print the cases as JSON");
  app.add_flag("--serve", on_request, "time the cases named on standard input, one a line");
  app.add_option("--seconds", seconds, "least time measured for an answer")->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);

  bench::add_depth_64();
  bench::add_depth_128();
  bench::add_depth_256();
  bench::add_f32();
  if (ask) std::cout << device().dump() << '\n';
  if (list) std::cout << bench::listing_of_cases().dump(1) << '\n';
  if (on_request) serve(seconds);
}
