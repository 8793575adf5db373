// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The pass of kernels/thrust over elements against loops in f64, over element types, ranks, layouts and edges.
#include "passes.hpp"
#include <array>

namespace {

using namespace attend::kernels;
using namespace attend::kernels::testing_passes;
using attend::bf16;
using attend::f16;
namespace op = attend::op;

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

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
void converts_to() {
  (converts<N, From, To>(), ...);
}
template <class N, class... T>
void converts_all() {
  (converts_to<N, T, T...>(), ...);
}

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
        if constexpr (R > 0)
          return call<op::add>(read<P...>(x.view), call<op::mul>(read<R - 1>(y.view), constant{0.5}));
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
  passes::map<N>(strided<T, 3>{got.data(), {b, s, d}, {s * d, d, 1}},
                 lookup<T, decltype(id), 2>{table.data(), id, d, {1}});
  for (long i = 0; i < b * s; ++i)
    for (long j = 0; j < d; ++j) ASSERT_EQ(widened(got[i * d + j]), widened(table[ids[i] * d + j]));
  // One element of a row, the row chosen lane by lane: table[id, b], ids shifted by a functor.
  auto const shifted = call<op::sub>(whole_constant{v - 1}, id);
  passes::map<N>(strided<T, 2>{picked.data(), {b, s}, {s, 1}},
                 lookup<T, decltype(shifted), 0>{table.data(), shifted, d, {1}});
  for (long i = 0; i < b; ++i)
    for (long j = 0; j < s; ++j)
      ASSERT_EQ(widened(picked[i * s + j]), widened(table[(v - 1 - ids[i * s + j]) * d + i]));
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

} // namespace
