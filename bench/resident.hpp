// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What of a process lies in memory, as Linux counts it.
#pragma once
#include <fstream>
#include <string>

namespace bench {

/// A field of /proc/self/status in bytes: VmRSS, what is resident now, or VmHWM, the most there ever was.
inline long resident(std::string const& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(field + ":")) return std::stol(line.substr(field.size() + 1)) * 1024;
  return 0;
}

/// Lets VmHWM begin anew from what is resident now.
inline void forget_peak() { std::ofstream("/proc/self/clear_refs") << "5"; }

} // namespace bench
