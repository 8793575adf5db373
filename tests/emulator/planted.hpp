// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the emulator says of kernels that are wrong on purpose.
#pragma once
#include <emulator/emulator.hpp>
#include <gtest/gtest.h>
#include <cstdlib>
#include <regex>
#include <string>

namespace attend::emulated {

/// A kernel and the sentence about it, a regular expression behind the kernel's name and, where there is one, the place.
template <class Kernel>
struct mistake {
  char const* name;
  Kernel* what;
  char const* sentence;
};
template <class Kernel>
std::ostream& operator<<(std::ostream& out, mistake<Kernel> const& x) {
  return out << x.name;
}
#define NAMED(KERNEL) #KERNEL, KERNEL

/// What is said while a launch runs; then options are what they were.
template <class Launch>
std::string said_while(emulator::settings const& options, Launch launch) {
  auto const before = std::exchange(emulator::options, options);
  std::string said;
  try {
    launch();
  } catch (emulator::error const& e) {
    said = e.what();
  }
  emulator::options = before;
  return said;
}

inline void expect_said(std::string const& said, std::string const& kernel, std::string const& file, std::string const& sentence) {
  std::string const pattern = "kernel " + kernel + ", block .0,0,0.: (thread [0-9]+ at " + file + ":[0-9]+ )?" + sentence;
  EXPECT_TRUE(std::regex_search(said, std::regex(pattern))) << said;
}

} // namespace attend::emulated
