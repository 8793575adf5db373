// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What an example prints of a result: its dims and how far it is from the float64 oracle.
#pragma once
#include <algorithm>
#include <attend/oracle.hpp>
#include <attend/tensor.hpp>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <unistd.h>

namespace examples {

/// Prints a result's dims.
template <class T, class... A>
void show_dims(char const* what, attend::tensor<T, struct attend::host, A...> const& result) {
  std::printf("%-44s (", what);
  char const* separator = "";
  ((std::printf("%s%s = %ld", separator, A::dim::name().c_str(), result.extent(typename A::dim{})), separator = ", "), ...);
  std::printf(")");
}

/// Draws how far an evaluation is, on a terminal; for evaluate(on_progress(bar), x).
inline void bar(double fraction) {
  static bool const terminal = isatty(STDERR_FILENO) != 0;
  if (!terminal) return;
  constexpr int wide = 40;
  int const full = static_cast<int>(fraction * wide);
  std::fprintf(stderr, "\r[%.*s%*s]%s", full, "========================================", wide - full, "", fraction < 1 ? "" : "\r\033[K");
}

/// Shows results and remembers whether all were as close as f32 allows.
class results {
public:
  /// Prints dims, how far from the oracle's the values are, and the largest of these; each must be within the oracle's
  /// bound. `result` has the dims of `expr` in their order.
  template <class E, class T, class... A>
  void show(char const* what, E const& expr, attend::tensor<T, struct attend::host, A...> const& result) {
    auto const expected = attend::oracle(expr);
    double ratio = 0, distance = 0, largest = 0;
    for (long i = 0; i < expected.size(); ++i) {
      double const want = expected[i].value, have = static_cast<double>(result.data()[i]);
      largest = std::fmax(largest, std::abs(want));
      if (want == have || (std::isnan(want) && std::isnan(have))) continue;
      double const off = std::isnan(want - have) ? INFINITY : std::abs(want - have);
      ratio = std::max(ratio, off / expected[i].bound), distance = std::max(distance, off);
    }
    show_dims(what, result);
    std::printf("  at most %.1e from float64, of %.1e\n", distance, largest);
    require(ratio <= 1);
  }
  void require(bool close) { all_close_ = all_close_ && close; }

  /// What main returns.
  int status() const {
    if (!all_close_) std::puts("a result is not what it should be");
    return all_close_ ? EXIT_SUCCESS : EXIT_FAILURE;
  }

private:
  bool all_close_ = true;
};

} // namespace examples
