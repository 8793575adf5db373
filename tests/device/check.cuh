// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The frame of the programs that run on a device: expressions evaluated there against the float64 oracle. They need no
// test library, and say so where there is no device.
#pragma once
#include <attend/cuda.cuh>
#include <attend/kernels/reference/compare.hpp>
#include <cstdio>
#include <support/device_cases.hpp>
#include <vector>

namespace attend::device_tests {

inline int failures = 0, passed = 0;

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
/// f of tensors on the device against the oracle's value of the same tensors.
inline constexpr auto check = [](char const* what, auto const& f, auto const&... x) {
  try {
    judge(what, f(x...), [&](auto const&... y) { return evaluate(f(y...)); }(copy_to(cuda, x)...));
  } catch (std::exception const& e) {
    ++failures;
    std::printf("FAILED %s: %s\n", what, e.what());
  }
};

/// Runs tests where there is a device; the exit status.
template <class Tests>
int run(Tests const& tests) {
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
  return failures == 0 ? 0 : 1;
}

} // namespace attend::device_tests
