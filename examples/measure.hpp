// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the examples measure: the median time of some runs, and the peak of the process's memory above where it stood.
#pragma once
#include <algorithm>
#include <chrono>
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

} // namespace examples
