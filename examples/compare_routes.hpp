// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The same expression by its fused kernel and by the unfused steps: time, peak memory, and how far apart they are.
#pragma once
#include <algorithm>
#include <attend/evaluate.hpp>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace examples {

/// One field of /proc/self/status in MiB, such as VmHWM, the peak of resident memory.
inline double process_memory(std::string const& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(field + ":")) return std::stod(line.substr(field.size() + 1)) / 1024;
  return 0;
}

/// MiB that f adds to the memory of the process at its peak.
template <class F>
double peak_memory(F const& f) {
  std::ofstream("/proc/self/clear_refs") << "5"; // the peak starts anew from what is resident now
  double const before = process_memory("VmRSS");
  f();
  return std::max(0.0, process_memory("VmHWM") - before);
}

/// Median milliseconds of a run of f.
template <class F>
double milliseconds(F const& f, int runs = 7) {
  std::vector<double> times;
  for (int i = 0; i < runs; ++i) {
    auto const start = std::chrono::steady_clock::now();
    f();
    times.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  std::nth_element(times.begin(), times.begin() + runs / 2, times.end());
  return times[static_cast<std::size_t>(runs / 2)];
}

/// Runs an expression by both routes and prints a line each; their mean absolute difference.
template <class E>
double compare_routes(E const& expr) {
  auto const by = [&](char const* route) {
    setenv("ATTEND_ATTENTION", route, 1);
    auto result = evaluate(expr);
    attend::release_workspace();
    double const memory = peak_memory([&] { evaluate(into(result), expr); });
    double const time = milliseconds([&] { evaluate(into(result), expr); });
    std::printf("%-8s %9.2f ms, peak memory beside operands and result %8.2f MiB\n", route, time, memory);
    unsetenv("ATTEND_ATTENTION");
    return result;
  };
  auto const fused = by("fused"), unfused = by("thrust");
  double sum = 0;
  for (long i = 0; i < fused.size(); ++i) sum += std::abs(static_cast<double>(fused.data()[i]) - static_cast<double>(unfused.data()[i]));
  double const mean = sum / static_cast<double>(std::max(fused.size(), 1l));
  std::printf("mean absolute difference %.2e\n", mean);
  return mean;
}

} // namespace examples
