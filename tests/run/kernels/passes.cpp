// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// map, reduce and normalise of kernels/thrust against loops in f64, over element types, ranks, layouts and edges.
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

// ---------------------------------------------------------------------------------------------------------- map

template <class T>
std::vector<double> samples() { // values every T but bool holds
  std::vector<double> x;
  for (int i = 0; i < 37; ++i) x.push_back((i * 7) % 23 - 11);
  return x;
}

template <class N, class From, class To>
void converts() {
  auto const x = samples<From>();
  long const n = static_cast<long>(x.size());
  std::unique_ptr<From[]> in(new From[n]);
  std::unique_ptr<To[]> out(new To[n]);
  for (long i = 0; i < n; ++i) in[i] = store_number<From>(x[i]);
  for (long step : {1l, -1l}) {
    strided<To, 1> const o{step < 0 ? out.get() + n - 1 : out.get(), {n}, {step}};
    passes::map<N>(o, element<From, 0>{in.get(), {1}});
    for (long i = 0; i < n; ++i) {
      double const held = std::is_same_v<From, bool> ? x[i] != 0 : x[i];
      ASSERT_EQ(widened(o.data[i * step]), (std::is_same_v<To, bool> ? held != 0 : held)) << i;
    }
  }
}
template <class N, class From, class... To>
void converts_to() { (converts<N, From, To>(), ...); }
template <class N, class... T>
void converts_all() { (converts_to<N, T, T...>(), ...); }

TEST(map, converts_every_type_to_every_type) {
  converts_all<float, float, double, bf16, f16, bool, std::int32_t, std::int64_t>();
  converts_all<double, float, double, bf16, f16, bool, std::int32_t, std::int64_t>();
}

TEST(map, keeps_whole_numbers_beyond_the_floats) {
  constexpr long big = (1l << 53) + 1;
  std::vector<std::int64_t> x(21), y(21), got(21);
  for (int i = 0; i < 21; ++i) x[i] = (i % 2 ? -big : big) * (i + 1), y[i] = x[i] + i % 3 - 1;
  element<std::int64_t, 0> const ex{x.data(), {1}}, ey{y.data(), {1}};
  strided<std::int64_t, 1> const o{got.data(), {21}, {1}};
  std::unique_ptr<bool[]> less(new bool[21]), equal(new bool[21]);
  auto check = [&]<class N>(N) {
    passes::map<N>(o, call<op::sub>(call<op::add>(ex, whole_constant{5}), call<op::min>(ex, ey)));
    for (int i = 0; i < 21; ++i) ASSERT_EQ(got[i], x[i] + 5 - std::min(x[i], y[i]));
    passes::map<N>(o, call<op::max>(call<op::add>(ex, coordinate<0>{}), ey));
    for (int i = 0; i < 21; ++i) ASSERT_EQ(got[i], std::max(x[i] + i, y[i]));
    passes::map<N>(strided<bool, 1>{less.get(), {21}, {1}}, call<op::less>(ex, ey));
    passes::map<N>(strided<bool, 1>{equal.get(), {21}, {1}}, call<op::equal>(ex, ey));
    for (int i = 0; i < 21; ++i) {
      ASSERT_EQ(less[i], x[i] < y[i]);
      ASSERT_EQ(equal[i], x[i] == y[i]);
    }
  };
  check(float{});
  check(double{});
}

template <class N, class T, int R, int... P>
void maps_layouts(std::vector<long> const& extent, std::integer_sequence<int, P...>) {
  for (layout in : layouts)
    for (layout out : layouts) {
      array<T, R> x(extent, in, store_number<T>(0.0)), z(extent, out, store_number<T>(-77.0));
      std::vector<long> const last(extent.end() - (R > 0), extent.end());
      array<float, (R > 0)> y(last, layout::contiguous, 0.5f); // along the last axis only
      int count = 0;
      everywhere(extent, [&](long const* p) { x.at(p) = store_number<T>(static_cast<double>(count++ % 50) * 0.25); });
      for (std::size_t i = 0; i < y.memory.size(); ++i) y.memory[i] = static_cast<float>(i % 8) - 4;
      auto const f = [&] {
        if constexpr (R > 0) return call<op::add>(read<P...>(x.view), call<op::mul>(read<R - 1>(y.view), constant{0.5}));
        else return call<op::add>(read<>(x.view), call<op::mul>(read<>(y.view), constant{0.5}));
      }();
      passes::map<N>(z.view, f);
      long elements = 0, untouched = 0;
      everywhere(extent, [&](long const* p) { // exact in every type: multiples of 1/4 up to 16
        double const want = widened(x.at(p)) + y.at(p + (R > 0 ? R - 1 : 0)) * 0.5;
        ASSERT_EQ(widened(z.at(p)), want) << "layouts " << int(in) << " " << int(out);
        ++elements;
      });
      for (T v : z.memory) untouched += widened(v) == -77;
      ASSERT_EQ(untouched, static_cast<long>(z.memory.size()) - elements) << "wrote beside the result";
    }
}

TEST(map, any_rank_and_layout) {
  auto each = [&]<class N, class T>(N, T) {
    maps_layouts<N, T, 0>({}, {});
    for (long n : {0l, 1l, 5l, 8l, 9l, 1000l}) maps_layouts<N, T, 1>({n}, std::integer_sequence<int, 0>{});
    for (long n : {1l, 3l, 70l}) maps_layouts<N, T, 2>({n, 67}, std::integer_sequence<int, 0, 1>{});
    maps_layouts<N, T, 2>({300, 200}, std::integer_sequence<int, 0, 1>{});
    maps_layouts<N, T, 3>({5, 1, 13}, std::integer_sequence<int, 0, 1, 2>{});
    maps_layouts<N, T, 3>({5, 0, 13}, std::integer_sequence<int, 0, 1, 2>{});
    maps_layouts<N, T, 4>({2, 3, 5, 1}, std::integer_sequence<int, 0, 1, 2, 3>{});
    maps_layouts<N, T, 5>({2, 3, 1, 4, 9}, std::integer_sequence<int, 0, 1, 2, 3, 4>{});
    maps_layouts<N, T, 6>({2, 1, 3, 2, 2, 11}, std::integer_sequence<int, 0, 1, 2, 3, 4, 5>{});
  };
  each(float{}, float{});
  each(float{}, bf16{});
  each(double{}, double{});
}
TEST(map, any_rank_of_half) { maps_layouts<float, f16, 3>({4, 7, 33}, std::integer_sequence<int, 0, 1, 2>{}); }

TEST(map, masks_and_positions) {
  long const s = 37, t = 61;
  std::vector<float> x(s * t), got(s * t);
  std::iota(x.begin(), x.end(), 0.0f);
  element<float, 0, 1> const e{x.data(), {t, 1}};
  auto const causal = call<op::less_equal>(coordinate<1>{}, call<op::add>(coordinate<0>{}, whole_constant{t - s}));
  auto const alibi = call<op::mul>(call<op::sub>(coordinate<1>{}, coordinate<0>{}), constant{0.125});
  passes::map<float>(strided<float, 2>{got.data(), {s, t}, {t, 1}}, call<op::masked>(causal, call<op::add>(e, alibi)));
  for (long i = 0; i < s; ++i)
    for (long j = 0; j < t; ++j) {
      double const want = j <= i + t - s ? static_cast<double>(x[i * t + j]) + 0.125 * (j - i) : -inf;
      ASSERT_EQ(got[i * t + j], want) << i << " " << j;
    }
  std::unique_ptr<bool[]> kept(new bool[s * t]);
  passes::map<float>(strided<bool, 2>{kept.get(), {s, t}, {1, s}}, call<op::no>(causal));
  for (long i = 0; i < s; ++i)
    for (long j = 0; j < t; ++j) ASSERT_EQ(kept[i + j * s], !(j <= i + t - s));
}

template <class N, class T, class Id>
void gathers() {
  long const v = 50, d = 19, b = 3, s = 11;
  std::vector<T> table(v * d), got(b * s * d), picked(b * s);
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = store_number<T>(static_cast<double>(i % 120));
  std::vector<Id> ids(b * s);
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<Id>((i * 31) % v);
  element<Id, 0, 1> const id{ids.data(), {s, 1}};
  passes::map<N>(strided<T, 3>{got.data(), {b, s, d}, {s * d, d, 1}}, lookup<T, decltype(id), 2>{table.data(), id, d, {1}});
  for (long i = 0; i < b * s; ++i)
    for (long j = 0; j < d; ++j) ASSERT_EQ(widened(got[i * d + j]), widened(table[ids[i] * d + j]));
  // One element of a row, the row chosen lane by lane: table[id, b], ids shifted by a functor.
  auto const shifted = call<op::sub>(whole_constant{v - 1}, id);
  passes::map<N>(strided<T, 2>{picked.data(), {b, s}, {s, 1}}, lookup<T, decltype(shifted), 0>{table.data(), shifted, d, {1}});
  for (long i = 0; i < b; ++i)
    for (long j = 0; j < s; ++j) ASSERT_EQ(widened(picked[i * s + j]), widened(table[(v - 1 - ids[i * s + j]) * d + i]));
}
TEST(map, looks_up_rows_by_ids) {
  gathers<float, float, std::int64_t>();
  gathers<float, bf16, std::int32_t>();
  gathers<float, f16, std::int64_t>();
  gathers<float, std::int32_t, std::int32_t>();
  gathers<float, std::int64_t, std::int64_t>();
  gathers<double, double, std::int32_t>();
}

TEST(map, writes_over_its_operand) {
  std::vector<float> x(70000);
  std::iota(x.begin(), x.end(), 0.0f);
  element<float, 0> const e{x.data(), {1}};
  passes::map<float>(strided<float, 1>{x.data(), {70000}, {1}}, call<op::add>(e, constant{1.0}));
  for (long i = 0; i < 70000; ++i) ASSERT_EQ(x[i], i + 1);
}

// Philox4x32-10 of a whole 128-bit counter, written after the paper for these tests alone.
std::array<std::uint32_t, 4> philox_4x32(std::array<std::uint32_t, 4> c, std::array<std::uint32_t, 2> k) {
  for (int i = 0; i < 10; ++i) {
    auto const low = std::uint64_t{0xD2511F53} * c[0], high = std::uint64_t{0xCD9E8D57} * c[2];
    c = {std::uint32_t(high >> 32) ^ c[1] ^ k[0], std::uint32_t(high), std::uint32_t(low >> 32) ^ c[3] ^ k[1],
         std::uint32_t(low)};
    k = {k[0] + 0x9E3779B9u, k[1] + 0xBB67AE85u};
  }
  return c;
}
TEST(random, is_philox) {
  using words = std::array<std::uint32_t, 4>;
  // Random123's known answers
  ASSERT_EQ(philox_4x32({0, 0, 0, 0}, {0, 0}), (words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  ASSERT_EQ(philox_4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}), (words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  ASSERT_EQ(philox_4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
  for (long seed : {0l, 1l, 0x299f31d0a4093822l, -1l})
    for (long first : {0l, 12345l, (1l << 34) - 5, std::numeric_limits<long>::max() - 100}) {
      long const n = 41;
      std::vector<std::int64_t> got(n);
      auto const draw = call<op::random>(call<op::add>(coordinate<0>{}, whole_constant{first}), whole_constant{seed});
      auto check = [&]<class N>(N) {
        passes::map<N>(strided<std::int64_t, 1>{got.data(), {n}, {1}}, draw);
        for (long i = 0; i < n; ++i) {
          std::uint64_t const block = static_cast<std::uint64_t>(first + i) / 4, key = static_cast<std::uint64_t>(seed);
          auto const want = philox_4x32({std::uint32_t(block), std::uint32_t(block >> 32), 0, 0},
                                        {std::uint32_t(key), std::uint32_t(key >> 32)})[(first + i) % 4];
          ASSERT_EQ(philox(key, static_cast<std::uint64_t>(first + i)), want);
          ASSERT_EQ(got[i], want >> 8);
        }
      };
      check(float{});
      check(double{});
    }
}

// ------------------------------------------------------------------------------------------------------- reduce

struct row_case {
  std::vector<long> outer, inner;
};
std::vector<row_case> const row_cases = {
    {{5}, {1}},      {{5}, {7}},     {{3}, {8}},       {{1}, {9}},        {{40}, {100}}, {{3}, {2049}}, {{1}, {70001}},
    {{129}, {70}},   {{1030}, {65}}, {{9}, {5000}},    {{0}, {5}},        {{5}, {0}},    {{2}, {40000}},
};
std::vector<row_case> const row_cases_2_2 = {
    {{3, 5}, {7, 9}}, {{2, 33}, {5, 1}}, {{1, 1}, {3, 700}}, {{4, 6}, {300, 3}}, {{2, 130}, {80, 4}}, {{2, 3}, {0, 4}},
    {{1, 2}, {20000, 3}},
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
  run(argument<0>{}, [&](auto const& row, double got) {
    ASSERT_NEAR(got, total(row, same), depth(count) * u * total(row, magnitude));
  }, staged<op::add>(e));
  run(call<op::sub>(argument<0>{}, argument<1>{}), [&](auto const& row, double got) {
    double high = -inf, low = inf;
    for (double v : row) high = std::max(high, v), low = std::min(low, v);
    ASSERT_EQ(got, static_cast<double>(static_cast<N>(high - low)));
  }, staged<op::max>(e), staged<op::min>(e));
  if (n == 0) return;
  auto const mean = call<op::mul>(argument<0>{}, constant{1 / count});
  auto const difference = call<op::sub>(e, mean);
  run(call<op::mul>(argument<1>{}, constant{1 / count}), [&](auto const& row, double got) {
    double const m = total(row, same) / count, largest = total(row, magnitude) / count;
    double const want = total(row, [&](double v) { return (v - m) * (v - m); }) / count;
    // The mean is off by e; that adds e^2. A difference is off by its rounding (at most 4u), and e; its square by twice that.
    double const e = (depth(count) + 2) * u * largest;
    ASSERT_NEAR(got, want, (depth(count) + 3) * u * want + 2 * std::sqrt(want) * 4 * u + e * e + 2 * e * 4 * u);
  }, staged<op::add>(e), staged<op::add>(call<op::mul>(difference, difference)));
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
  passes::reduce<float>(strided<float, 0>{got.data(), {}, {}}, inner, argument<0>{}, staged<op::add>(element<float, 0>{x.data(), {1}}));
  double const want = static_cast<double>(n) * static_cast<double>(0.1f);
  EXPECT_NEAR(got[0], want, depth(static_cast<double>(n) / 2048) * 0x1p-24 * want);
  // Vertically: 8 columns that lie side by side.
  std::vector<float> columns(8);
  long const lines[1] = {n / 8};
  passes::reduce<float>(strided<float, 1>{columns.data(), {8}, {1}}, lines, argument<0>{}, staged<op::add>(element<float, 0, 1>{x.data(), {1, 8}}));
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
                          call<op::add>(argument<0>{}, call<op::log>(argument<1>{})), staged<op::max>(e), staged<op::add>(term));
    for (long i = 0; i < 3; ++i) {
      double m = -inf, sum = 0;
      for (long j = 0; j < 40; ++j) m = std::max(m, static_cast<double>(x[i * 40 + j]));
      for (long j = 0; j < 40; ++j) sum += m == -inf ? 0 : std::exp(static_cast<double>(x[i * 40 + j]) - m);
      double const want = m + std::log(sum);
      // differences up to 8 round to 8u; exp is within 4u of its value, the sum within depth
      if (std::isinf(want)) ASSERT_EQ(got[i], want);
      else ASSERT_NEAR(got[i], want, (8 + 4 + depth(40) + 4) * 0x1p-24 + 2 * 0x1p-24 * (std::abs(want) + std::log(sum)));
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
  passes::normalise<N, T, Outer, Inner>(z.view, call<op::softmax_weight<Empty>>(e, argument<0>{}, argument<1>{}), staged<op::max>(e),
                                        staged<op::add>(call<op::softmax_term<Empty>>(e, argument<0>{})));
  double n = 1;
  for (long i : c.inner) n *= static_cast<double>(i);
  everywhere(c.outer, [&](long const* o) {
    std::vector<long> at(o, o + Outer);
    at.resize(Outer + Inner);
    auto over_row = [&](auto f) {
      everywhere(c.inner, [&](long const* p) { std::copy(p, p + Inner, at.begin() + Outer), f(widened(x.at(at.data()))); });
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
        ASSERT_NEAR(got, want, want * ((m - v + 4 + 1 + 4 + depth(n) + 2) * unit<N> + unit<T>) * 1.01 + tiny<T> + tiny<N>);
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
  softmaxes<empty_row::zeros_t, float, float, 0, 1>({{}, {100000}}, layout::contiguous, layout::contiguous, std::integer_sequence<int, 0>{});
}

TEST(normalise, softmax_spoiled_by_nan_is_nan) {
  std::vector<float> x(2 * 20, 1.0f), got(2 * 20);
  x[33] = static_cast<float>(nan);
  element<float, 0, 1> const e{x.data(), {20, 1}};
  using zeros = empty_row::zeros_t;
  passes::normalise<float, float, 1, 1>({got.data(), {2, 20}, {20, 1}}, call<op::softmax_weight<zeros>>(e, argument<0>{}, argument<1>{}),
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
      auto const scale = call<op::rsqrt>(call<op::add>(call<op::mul>(argument<1>{}, constant{1 / count}), constant{1e-5}));
      passes::normalise<float, float, 1, 1>(
          x.view, call<op::add>(call<op::mul>(call<op::mul>(d, scale), element<float, 1>{gain.data(), {1}}), element<float, 1>{bias.data(), {1}}),
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
          double const relative = (depth(count) + 8) * u / 2 + (off * off + 2 * sigma * 16 * u) / (sigma * sigma) / 2 + 6 * u;
          ASSERT_NEAR(x.at(p), want, std::abs(gain[j]) * (std::abs(y) * relative + (off + std::abs(old.at(p) - mean) * u) / sigma) + 2 * u * std::abs(want) + 2 * u * std::abs(bias[j]))
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
                                                call<op::softmax_weight<zeros>>(e, argument<0>{}, argument<1>{}), staged<op::max>(e),
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
