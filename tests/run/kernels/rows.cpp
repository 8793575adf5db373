// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Passes of kernels/thrust over rows against loops in f64: reductions, and what is normalised by them, over element types,
// ranks, layouts and edges.
#include "passes.hpp"
#include <array>
#include <tbb/global_control.h>

namespace {

using namespace attend::kernels;
using namespace attend::kernels::testing_passes;
using attend::bf16;
using attend::f16;
namespace op = attend::op;
namespace empty_row = attend::empty_row;

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

// ------------------------------------------------------------------------------------------------------- reduce

struct row_case {
  std::vector<long> outer, inner;
};
std::vector<row_case> const row_cases = {
    {{5}, {1}},    {{5}, {7}},     {{3}, {8}},    {{1}, {9}}, {{40}, {100}}, {{3}, {2049}},  {{1}, {70001}},
    {{129}, {70}}, {{1030}, {65}}, {{9}, {5000}}, {{0}, {5}}, {{5}, {0}},    {{2}, {40000}},
};
std::vector<row_case> const row_cases_2_2 = {
    {{3, 5}, {7, 9}},    {{2, 33}, {5, 1}}, {{1, 1}, {3, 700}},   {{4, 6}, {300, 3}},
    {{2, 130}, {80, 4}}, {{2, 3}, {0, 4}},  {{1, 2}, {20000, 3}},
};

// Sum, max, min, mean and variance of x over the inner axes, x in one layout, out in another.
template <class N, class T, int Outer, int Inner, int... P>
void reduces(row_case const& c, layout in, layout out, std::integer_sequence<int, P...>) {
  auto extent = c.outer;
  extent.insert(extent.end(), c.inner.begin(), c.inner.end());
  array<T, Outer + Inner> x(extent, in, store_number<T>(0.0));
  std::mt19937 random(7);
  std::uniform_real_distribution<double> draw(-1, 3);
  everywhere(extent, [&](long const* p) { x.at(p) = store_number<T>(draw(random)); });
  auto const e = read<P...>(x.view);
  long inner[Inner], n = 1;
  for (int i = 0; i < Inner; ++i) n *= inner[i] = c.inner[i];
  double const u = unit<N>;
  double const count = static_cast<double>(n);
  auto run = [&](auto const& final, auto const& expect, auto const&... stages) {
    array<N, Outer> z(c.outer, out, N(-77));
    passes::reduce<N>(z.view, inner, final, stages...);
    everywhere(c.outer, [&](long const* o) {
      std::vector<double> row;
      std::vector<long> at(o, o + Outer);
      at.resize(Outer + Inner);
      everywhere(c.inner, [&](long const* p) {
        std::copy(p, p + Inner, at.begin() + Outer);
        row.push_back(widened(x.at(at.data())));
      });
      expect(row, static_cast<double>(z.at(o)));
    });
  };
  auto total = [](std::vector<double> const& row, auto f) {
    double sum = 0;
    for (double v : row) sum += f(v);
    return sum;
  };
  auto magnitude = [](double v) { return std::abs(v); };
  auto same = [](double v) { return v; };
  run(
      argument<0>{},
      [&](auto const& row, double got) {
        ASSERT_NEAR(got, total(row, same), depth(count) * u * total(row, magnitude));
      },
      staged<op::add>(e));
  run(
      call<op::sub>(argument<0>{}, argument<1>{}),
      [&](auto const& row, double got) {
        double high = -inf, low = inf;
        for (double v : row) high = std::max(high, v), low = std::min(low, v);
        ASSERT_EQ(got, static_cast<double>(static_cast<N>(high - low)));
      },
      staged<op::max>(e), staged<op::min>(e));
  if (n == 0) return;
  auto const mean = call<op::mul>(argument<0>{}, constant{1 / count});
  auto const difference = call<op::sub>(e, mean);
  run(
      call<op::mul>(argument<1>{}, constant{1 / count}),
      [&](auto const& row, double got) {
        double const m = total(row, same) / count, largest = total(row, magnitude) / count;
        double const want = total(row, [&](double v) { return (v - m) * (v - m); }) / count;
        // The mean is off by e; that adds e^2. A difference is off by its rounding (at most 4u), and e; its square by twice that.
        double const e = (depth(count) + 2) * u * largest;
        ASSERT_NEAR(got, want, (depth(count) + 3) * u * want + 2 * std::sqrt(want) * 4 * u + e * e + 2 * e * 4 * u);
      },
      staged<op::add>(e), staged<op::add>(call<op::mul>(difference, difference)));
}
TEST(reduce, any_layout) {
  for (layout in : layouts)
    for (layout out : {layout::contiguous, layout::shuffled}) {
      for (auto const& c : row_cases) {
        SCOPED_TRACE(testing::Message() << c.outer[0] << " rows of " << c.inner[0] << ", layout " << int(in));
        reduces<float, float, 1, 1>(c, in, out, std::integer_sequence<int, 0, 1>{});
        if (out == layout::contiguous) reduces<double, double, 1, 1>(c, in, out, std::integer_sequence<int, 0, 1>{});
      }
      for (auto const& c : row_cases_2_2) {
        SCOPED_TRACE(testing::Message() << c.inner[0] << " x " << c.inner[1] << ", layout " << int(in));
        reduces<float, bf16, 2, 2>(c, in, out, std::integer_sequence<int, 0, 1, 2, 3>{});
      }
    }
  for (long n : {0l, 1l, 6l, 3000l, 100000l}) {
    SCOPED_TRACE(n);
    reduces<float, f16, 0, 1>({{}, {n}}, layout::contiguous, layout::contiguous, std::integer_sequence<int, 0>{});
  }
}

TEST(reduce, error_of_a_long_sum_grows_slowly) {
  long const n = 1l << 24; // one after another, 2^24 times 0.1f is off by a tenth
  std::vector<float> x(n, 0.1f), got(1);
  long const inner[1] = {n};
  passes::reduce<float>(strided<float, 0>{got.data(), {}, {}}, inner, argument<0>{},
                        staged<op::add>(element<float, 0>{x.data(), {1}}));
  double const want = static_cast<double>(n) * static_cast<double>(0.1f);
  EXPECT_NEAR(got[0], want, depth(static_cast<double>(n) / 2048) * 0x1p-24 * want);
  // Vertically: 8 columns that lie side by side.
  std::vector<float> columns(8);
  long const lines[1] = {n / 8};
  passes::reduce<float>(strided<float, 1>{columns.data(), {8}, {1}}, lines, argument<0>{},
                        staged<op::add>(element<float, 0, 1>{x.data(), {1, 8}}));
  for (float c : columns) EXPECT_NEAR(c, want / 8, depth(static_cast<double>(n) / 512) * 0x1p-24 * want / 8);
}

TEST(reduce, whole_numbers_are_exact) {
  constexpr long big = (1l << 53) + 1;
  long const rows = 9, n = 5001;
  for (bool vertical : {false, true}) {
    std::vector<std::int64_t> x(rows * n), got(rows);
    for (long i = 0; i < rows * n; ++i) x[i] = i % 2 ? big + i : -big + 3 * i;
    std::int64_t const row = vertical ? 1 : n, column = vertical ? rows : 1;
    element<std::int64_t, 0, 1> const e{x.data(), {row, column}};
    strided<std::int64_t, 1> const o{got.data(), {rows}, {1}};
    long const inner[1] = {n};
    auto check = [&]<class N>(N) {
      passes::reduce<N>(o, inner, argument<0>{}, staged<op::add>(e));
      for (long i = 0; i < rows; ++i) {
        std::int64_t want = 0;
        for (long j = 0; j < n; ++j) want += x[i * row + j * column];
        ASSERT_EQ(got[i], want);
      }
      passes::reduce<N>(o, inner, argument<0>{}, staged<op::max>(call<op::sub>(e, coordinate<1>{})));
      for (long i = 0; i < rows; ++i) {
        std::int64_t want = std::numeric_limits<std::int64_t>::lowest();
        for (long j = 0; j < n; ++j) want = std::max(want, x[i * row + j * column] - j);
        ASSERT_EQ(got[i], want);
      }
      passes::reduce<N>(o, inner, argument<0>{}, staged<op::add>(call<op::less>(e, whole_constant{0}))); // a count
      for (long i = 0; i < rows; ++i) {
        std::int64_t want = 0;
        for (long j = 0; j < n; ++j) want += x[i * row + j * column] < 0;
        ASSERT_EQ(got[i], want);
      }
    };
    check(float{});
    check(double{});
  }
}

TEST(reduce, over_nothing) {
  float got = 5;
  std::int64_t whole = 5;
  long const inner[2] = {4, 0};
  element<float, 0, 1> const e{nullptr, {1, 1}};
  element<std::int64_t, 0, 1> const w{nullptr, {1, 1}};
  strided<float, 0> const o{&got, {}, {}};
  strided<std::int64_t, 0> const ow{&whole, {}, {}};
  passes::reduce<float>(o, inner, argument<0>{}, staged<op::add>(e));
  EXPECT_EQ(got, 0);
  passes::reduce<float>(o, inner, argument<0>{}, staged<op::max>(e));
  EXPECT_EQ(got, -inf);
  passes::reduce<float>(o, inner, argument<0>{}, staged<op::min>(e));
  EXPECT_EQ(got, inf);
  passes::reduce<float>(ow, inner, argument<0>{}, staged<op::add>(w));
  EXPECT_EQ(whole, 0);
  passes::reduce<float>(ow, inner, argument<0>{}, staged<op::max>(w));
  EXPECT_EQ(whole, std::numeric_limits<std::int64_t>::lowest());
  passes::reduce<double>(ow, inner, argument<0>{}, staged<op::min>(w));
  EXPECT_EQ(whole, std::numeric_limits<std::int64_t>::max());
}

TEST(reduce, hands_on_nan_from_any_place) {
  for (long rows : {1l, 11l})
    for (bool vertical : {false, true})
      for (long n : {1l, 7l, 8l, 100l, 5000l})
        for (long where : {0l, n / 2, n - 1}) {
          std::vector<float> x(rows * n, 1.0f), got(rows);
          long const row = vertical ? 1 : n, column = vertical ? rows : 1;
          x[(rows - 1) * row + where * column] = static_cast<float>(nan);
          element<float, 0, 1> const e{x.data(), {row, column}};
          strided<float, 1> const o{got.data(), {rows}, {1}};
          long const inner[1] = {n};
          passes::reduce<float>(o, inner, argument<0>{}, staged<op::max>(e));
          ASSERT_TRUE(std::isnan(got[rows - 1]));
          ASSERT_TRUE(rows == 1 || got[0] == 1);
          passes::reduce<float>(o, inner, argument<0>{}, staged<op::min>(e));
          ASSERT_TRUE(std::isnan(got[rows - 1]));
          ASSERT_TRUE(rows == 1 || got[0] == 1);
        }
}

TEST(reduce, log_sum_exp_of_huge_and_tiny) {
  for (double shift : {0.0, 3e38, -3e38, 1000.0, -1e-40}) {
    std::vector<float> x(3 * 40), got(3);
    for (long i = 0; i < 120; ++i) x[i] = static_cast<float>(shift + (std::abs(shift) > 1e30 ? 0 : i % 9));
    for (long i = 40; i < 80; ++i) x[i] = static_cast<float>(-inf); // a row of nothing
    x[100] = static_cast<float>(-inf);
    element<float, 0, 1> const e{x.data(), {40, 1}};
    auto const term = call<op::softmax_term<empty_row::zeros_t>>(e, argument<0>{});
    long const inner[1] = {40};
    passes::reduce<float>(strided<float, 1>{got.data(), {3}, {1}}, inner,
                          call<op::add>(argument<0>{}, call<op::log>(argument<1>{})), staged<op::max>(e),
                          staged<op::add>(term));
    for (long i = 0; i < 3; ++i) {
      double m = -inf, sum = 0;
      for (long j = 0; j < 40; ++j) m = std::max(m, static_cast<double>(x[i * 40 + j]));
      for (long j = 0; j < 40; ++j) sum += m == -inf ? 0 : std::exp(static_cast<double>(x[i * 40 + j]) - m);
      double const want = m + std::log(sum);
      // differences up to 8 round to 8u; exp is within 4u of its value, the sum within depth
      if (std::isinf(want)) ASSERT_EQ(got[i], want);
      else
        ASSERT_NEAR(got[i], want, (8 + 4 + depth(40) + 4) * 0x1p-24 + 2 * 0x1p-24 * (std::abs(want) + std::log(sum)));
    }
  }
}

// ---------------------------------------------------------------------------------------------------- normalise

template <class Empty, class N, class T, int Outer, int Inner, int... P>
void softmaxes(row_case const& c, layout in, layout out, std::integer_sequence<int, P...>) {
  auto extent = c.outer;
  extent.insert(extent.end(), c.inner.begin(), c.inner.end());
  array<T, Outer + Inner> x(extent, in, store_number<T>(0.0)), z(extent, out, store_number<T>(-77.0));
  std::mt19937 random(3);
  std::normal_distribution<double> draw(0, 6);
  everywhere(extent, [&](long const* p) {
    double const v = draw(random);
    bool const none = Outer > 0 && p[0] == 1; // the second row has nothing kept
    x.at(p) = store_number<T>(none || v > 12 ? -inf : v);
  });
  auto const e = read<P...>(x.view);
  passes::normalise<N, T, Outer, Inner>(z.view, call<op::softmax_weight<Empty>>(e, argument<0>{}, argument<1>{}),
                                        staged<op::max>(e),
                                        staged<op::add>(call<op::softmax_term<Empty>>(e, argument<0>{})));
  double n = 1;
  for (long i : c.inner) n *= static_cast<double>(i);
  everywhere(c.outer, [&](long const* o) {
    std::vector<long> at(o, o + Outer);
    at.resize(Outer + Inner);
    auto over_row = [&](auto f) {
      everywhere(c.inner,
                 [&](long const* p) { std::copy(p, p + Inner, at.begin() + Outer), f(widened(x.at(at.data()))); });
    };
    double m = -inf, sum = 0;
    over_row([&](double v) { m = std::max(m, v); });
    over_row([&](double v) { sum += std::exp(v - m); });
    over_row([&](double v) {
      double const got = widened(z.at(at.data()));
      if (m == -inf) {
        if (std::is_same_v<Empty, empty_row::nan_t>) ASSERT_TRUE(std::isnan(got));
        else if (std::is_same_v<Empty, empty_row::zeros_t>) ASSERT_EQ(got, 0);
        else ASSERT_NEAR(got, 1 / n, (unit<T> + 2 * unit<N>) / n + tiny<T>);
        return;
      }
      double const want = std::exp(v - m) / sum;
      if (v == -inf) ASSERT_EQ(got, 0);
      else // a difference of d rounds to d u, an exponential adds 4u, a sum of n terms depth(n) u, where d e^-d < 1
        ASSERT_NEAR(got, want,
                    want * ((m - v + 4 + 1 + 4 + depth(n) + 2) * unit<N> + unit<T>)*1.01 + tiny<T> + tiny<N>);
    });
  });
  long untouched = 0;
  for (T v : z.memory) untouched += widened(v) == -77;
  long elements = static_cast<long>(n);
  for (long i : c.outer) elements *= i;
  ASSERT_EQ(untouched, static_cast<long>(z.memory.size()) - elements);
}
TEST(normalise, softmax_of_any_layout) {
  for (layout in : layouts)
    for (layout out : {layout::contiguous, layout::padded, layout::first_fastest}) {
      for (auto const& c : row_cases) {
        SCOPED_TRACE(testing::Message() << c.outer[0] << " rows of " << c.inner[0] << ", layout " << int(in));
        softmaxes<empty_row::zeros_t, float, float, 1, 1>(c, in, out, std::integer_sequence<int, 0, 1>{});
      }
      for (auto const& c : row_cases_2_2) {
        SCOPED_TRACE(testing::Message() << c.inner[0] << " x " << c.inner[1] << ", layout " << int(in));
        softmaxes<empty_row::uniform_t, float, bf16, 2, 2>(c, in, out, std::integer_sequence<int, 0, 1, 2, 3>{});
      }
    }
  for (layout in : {layout::contiguous, layout::first_fastest}) {
    softmaxes<empty_row::nan_t, float, f16, 1, 1>({{40}, {33}}, in, in, std::integer_sequence<int, 0, 1>{});
    softmaxes<empty_row::uniform_t, float, float, 1, 1>({{3}, {40000}}, in, in, std::integer_sequence<int, 0, 1>{});
    softmaxes<empty_row::nan_t, double, double, 1, 1>({{7}, {300}}, in, in, std::integer_sequence<int, 0, 1>{});
    softmaxes<empty_row::zeros_t, double, double, 1, 1>({{3}, {9000}}, in, in, std::integer_sequence<int, 0, 1>{});
  }
  softmaxes<empty_row::zeros_t, float, float, 0, 1>({{}, {100000}}, layout::contiguous, layout::contiguous,
                                                    std::integer_sequence<int, 0>{});
}

TEST(normalise, softmax_spoiled_by_nan_is_nan) {
  std::vector<float> x(2 * 20, 1.0f), got(2 * 20);
  x[33] = static_cast<float>(nan);
  element<float, 0, 1> const e{x.data(), {20, 1}};
  using zeros = empty_row::zeros_t;
  passes::normalise<float, float, 1, 1>(
      {got.data(), {2, 20}, {20, 1}}, call<op::softmax_weight<zeros>>(e, argument<0>{}, argument<1>{}),
      staged<op::max>(e), staged<op::add>(call<op::softmax_term<zeros>>(e, argument<0>{})));
  for (int i = 0; i < 40; ++i) ASSERT_EQ(std::isnan(got[i]), i >= 20) << i;
}

// ((x - mean) / sqrt(variance + 1e-5)) * gain[inner] + bias[inner], rows in any of two layouts, in place
TEST(normalise, layer_norm_in_place) {
  for (layout how : {layout::contiguous, layout::first_fastest})
    for (long n : {1l, 3l, 8l, 768l, 40000l}) {
      long const rows = 10;
      array<float, 2> x({rows, n}, how, 0.0f);
      std::vector<float> gain(n), bias(n);
      std::mt19937 random(5);
      std::normal_distribution<float> draw(2, 3);
      everywhere({rows, n}, [&](long const* p) { x.at(p) = draw(random); });
      for (long j = 0; j < n; ++j) gain[j] = draw(random), bias[j] = draw(random);
      auto const before = x;
      auto old = before;
      old.view.data = old.memory.data() + (x.view.data - x.memory.data());
      auto const e = read<0, 1>(x.view);
      double const count = static_cast<double>(n);
      auto const d = call<op::sub>(e, call<op::mul>(argument<0>{}, constant{1 / count}));
      auto const scale =
          call<op::rsqrt>(call<op::add>(call<op::mul>(argument<1>{}, constant{1 / count}), constant{1e-5}));
      passes::normalise<float, float, 1, 1>(
          x.view,
          call<op::add>(call<op::mul>(call<op::mul>(d, scale), element<float, 1>{gain.data(), {1}}),
                        element<float, 1>{bias.data(), {1}}),
          staged<op::add>(e), staged<op::add>(call<op::mul>(d, d)));
      for (long i = 0; i < rows; ++i) {
        double mean = 0, magnitude = 0, variance = 0;
        for (long j = 0; j < n; ++j) {
          long const p[] = {i, j};
          mean += old.at(p) / count, magnitude += std::abs(old.at(p)) / count;
        }
        for (long j = 0; j < n; ++j) {
          long const p[] = {i, j};
          variance += (old.at(p) - mean) * (old.at(p) - mean) / count;
        }
        double const u = 0x1p-24, off = (depth(count) + 2) * u * magnitude, sigma = std::sqrt(variance + 1e-5);
        for (long j = 0; j < n; ++j) {
          long const p[] = {i, j};
          double const y = (old.at(p) - mean) / sigma, want = y * gain[j] + bias[j];
          // off in the mean moves a difference; the variance by depth u relative and off^2
          double const relative =
              (depth(count) + 8) * u / 2 + (off * off + 2 * sigma * 16 * u) / (sigma * sigma) / 2 + 6 * u;
          ASSERT_NEAR(x.at(p), want,
                      std::abs(gain[j]) * (std::abs(y) * relative + (off + std::abs(old.at(p) - mean) * u) / sigma) +
                          2 * u * std::abs(want) + 2 * u * std::abs(bias[j]))
              << n << " " << i << " " << j;
        }
      }
    }
}

// -------------------------------------------------------------------------------------------------- determinism

TEST(rows, do_not_depend_on_the_number_of_threads) {
  std::mt19937 random(11);
  std::normal_distribution<float> draw(0, 1);
  for (auto [rows, n] : {std::pair{1l, 200000l}, {3l, 70001l}, {7l, 120001l}, {600l, 4100l}})
    for (bool vertical : {false, true}) {
      std::vector<float> x(rows * n);
      for (float& v : x) v = draw(random);
      long const row = vertical ? 1 : n, column = vertical ? rows : 1;
      element<float, 0, 1> const e{x.data(), {row, column}};
      long const inner[1] = {n};
      std::vector<std::vector<float>> sums, weights;
      for (int threads : {1, 2, 5, 64}) { // the last makes every row long: chunk by chunk instead of row by row
        tbb::global_control const limit(tbb::global_control::max_allowed_parallelism, threads);
        tbb::task_arena arena(threads);
        std::vector<float> sum(rows), weight(rows * n);
        arena.execute([&] {
          passes::reduce<float>(strided<float, 1>{sum.data(), {rows}, {1}}, inner, argument<0>{}, staged<op::add>(e));
          using zeros = empty_row::zeros_t;
          passes::normalise<float, float, 1, 1>({weight.data(), {rows, n}, {row, column}},
                                                call<op::softmax_weight<zeros>>(e, argument<0>{}, argument<1>{}),
                                                staged<op::max>(e),
                                                staged<op::add>(call<op::softmax_term<zeros>>(e, argument<0>{})));
        });
        sums.push_back(sum);
        weights.push_back(weight);
      }
      for (std::size_t i = 1; i < sums.size(); ++i) {
        ASSERT_EQ(sums[i], sums[0]);
        ASSERT_EQ(weights[i], weights[0]);
      }
    }
}

} // namespace
