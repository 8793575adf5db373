// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The frame of the programs that run on a device: expressions evaluated there against the float64 oracle. They need no
// test library, and say so where there is no device.
#pragma once
#include <attend/cuda.cuh>
#include <attend/kernels/reference/compare.hpp>
#include <cstdio>
#include <string_view>
#include <support/device_cases.hpp>
#include <vector>

namespace attend::device_tests {

inline int failures = 0, passed = 0;
inline std::string_view wanted; ///< part of the names of the tests to run
inline bool chosen(std::string_view what) { return what.find(wanted) != std::string_view::npos; }

template <class T, class... A>
std::vector<double> values_of(tensor<T, struct host, A...> const& x) {
  std::vector<double> values;
  for (T const& v : x) values.push_back(static_cast<double>(v));
  return values;
}
template <class E, class R>
void judge(char const* what, E const& expr, R const& result) {
  auto const report = kernels::reference::compare(oracle(expr), values_of(copy_to(host, result)));
  bool const good = report.good() && (report.elements == 0 || report.undecided < report.elements);
  ++(good ? passed : failures);
  if (!good) std::printf("FAILED %s: %s\n", what, report.message.c_str());
}
/// Runs a test if it is wanted; what it throws is a failure.
template <class Test>
void guarded(char const* what, Test const& test) {
  if (!chosen(what)) return;
  try {
    test();
  } catch (std::exception const& e) {
    ++failures;
    std::printf("FAILED %s: %s\n", what, e.what());
  }
}
/// f of tensors on the device against the oracle's value of the same tensors.
inline constexpr auto check = [](char const* what, auto const& f, auto const&... x) {
  guarded(what, [&] { judge(what, f(x...), [&](auto const&... y) { return evaluate(f(y...)); }(copy_to(cuda, x)...)); });
};

/// Runs tests where there is a device, all of them or those whose name contains the argument; the exit status.
template <class Tests>
int run(int arguments, char** argument, Tests const& tests) {
  if (arguments > 1) wanted = argument[1];
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0) {
    // host expressions run all the same, and device ones say why they do not
    using namespace attend::dims;
    auto const x = ones<float>(s = 3);
    bool const host_runs = evaluate(exp(x) + index(s)).size() == 3;
    bool says_so = false;
    try {
      static_cast<void>(copy_to(cuda, x));
    } catch (cuda_error const& e) {
      says_so = true;
      std::printf("no device: %s\n", e.what());
    }
    return host_runs && says_so ? 0 : 1;
  }
  tests();
  std::printf("%d passed, %d failed\n", passed, failures);
  return failures == 0 && passed > 0 ? 0 : 1;
}

} // namespace attend::device_tests
