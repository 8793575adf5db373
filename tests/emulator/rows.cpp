// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reduce-then-map by the kernel alone: every way to share rows out, in turn and in random orders, and each barrier needed.
#include <attend/kernels/cuda/rows.cuh>
#include <cmath>
#include <gtest/gtest.h>
#include <vector>

namespace attend::emulated {
namespace {

using namespace attend::kernels;

template <class Op, class... X>
apply<Op, X...> make(X... x) {
  return {{{x}...}};
}

/// softmax over axis 1 of (rows, inner) f32, whose strides are given; the largest error in units of its bound.
double softmax_error(long rows, long inner, bool rows_lie_apart) {
  std::size_t const count = static_cast<std::size_t>(rows * inner);
  std::vector<float> x(count), y(count, NAN);
  for (std::size_t i = 0; i < count; ++i) x[i] = static_cast<float>(i * 7919 % 101) / 25;
  long const row = rows_lie_apart ? inner : 1, step = rows_lie_apart ? 1 : rows;
  element<float, 0, 1> const from{x.data(), {row, step}};
  auto const term = make<op::exp>(make<op::sub>(from, argument<0>{}));
  auto const last = make<op::div>(term, argument<1>{});
  auto const status = cuda::rows<float, true, 1, 1>(nullptr, strided<float, 2>{y.data(), {rows, inner}, {row, step}}, {inner}, last, cuda::stage<op::max, decltype(from)>{from},
                                                    cuda::stage<op::add, std::remove_cv_t<decltype(term)>>{term});
  EXPECT_EQ(status, cudaSuccess);
  double worst = 0;
  for (long i = 0; i < rows; ++i) {
    double max = -INFINITY, sum = 0;
    for (long k = 0; k < inner; ++k) max = std::max(max, static_cast<double>(x[static_cast<std::size_t>(i * row + k * step)]));
    for (long k = 0; k < inner; ++k) sum += std::exp(x[static_cast<std::size_t>(i * row + k * step)] - max);
    for (long k = 0; k < inner; ++k) {
      auto const at = static_cast<std::size_t>(i * row + k * step);
      double const right = std::exp(x[at] - max) / sum, bound = right * (64 + static_cast<double>(inner) / 64 + 16) * 0x1p-24;
      worst = std::max(worst, std::isnan(y[at]) ? INFINITY : std::fabs(y[at] - right) / bound);
    }
  }
  return worst;
}

TEST(rows, shared_out_in_every_way) {
  for (std::uint64_t seed : {0, 1, 2}) {
    emulator::options.seed = seed;
    for (bool apart : {true, false})
      for (long inner : {1, 2, 31, 33, 300, 1100, 20000})
        for (long rows : {1, 5, 70}) {
          if (rows * inner > 100000 || (seed > 0 && inner > 1100)) continue;
          EXPECT_LE(softmax_error(rows, inner, apart), 1) << rows << " of " << inner << (apart ? "" : ", side by side") << ", seed " << seed;
        }
  }
  emulator::options = {};
}

TEST(rows, barriers_are_all_needed) {
  emulator::counts = {};
  softmax_error(3, 300, true);
  auto const waits = emulator::counts.waits;
  EXPECT_EQ(waits.size(), 3u);
  for (std::string const& wait : waits) {
    emulator::options.skip = wait;
    std::string said;
    try {
      softmax_error(3, 300, true);
    } catch (emulator::error const& e) {
      said = e.what();
    }
    EXPECT_NE(said.find("kernel rows, block ("), std::string::npos) << "without " << wait << ": " << said;
  }
  emulator::options = {};
}

} // namespace
} // namespace attend::emulated
