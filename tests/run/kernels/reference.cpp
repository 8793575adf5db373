// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The reference machine judged by hand-computed answers, its bounds by float arithmetic: every bound holds, none is
// vacuous, and a wrong result is caught.
#include <attend/kernels/reference/compare.hpp>
#include <cstring>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <gtest/gtest.h>
#include <random>

namespace ref = attend::kernels::reference;
using ref::array;
using ref::bounded;

namespace {

template <char Letter>
std::string spelled() {
  return {Letter};
}
ref::axis_name const b{spelled<'b'>}, s{spelled<'s'>}, t{spelled<'t'>}, d{spelled<'d'>}, e{spelled<'e'>}, n{spelled<'n'>}, c{spelled<'c'>};
constexpr double inf = ref::infinity;
double const nan = std::nan("");

array of(ref::names const& axes, ref::extents const& shape, std::vector<double> values) {
  array x = ref::zeros({axes, shape});
  EXPECT_EQ(x.size(), static_cast<long>(values.size()));
  x.values = std::move(values);
  return x;
}
// Normal floats: exact leaves.
array noise(ref::names const& axes, ref::extents const& shape, unsigned seed, float scale = 1) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(0, scale);
  array x = ref::zeros({axes, shape});
  for (double& v : x.values) v = normal(engine);
  return x;
}
std::vector<float> floats(array const& x) { return {x.values.begin(), x.values.end()}; }

void expect_values(array const& x, ref::names const& axes, std::vector<double> const& values) {
  EXPECT_TRUE(x.axes == axes);
  ASSERT_EQ(x.values.size(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(values[i])) EXPECT_TRUE(std::isnan(x.values[i])) << i;
    else if (std::isinf(values[i])) EXPECT_EQ(x.values[i], values[i]) << i;
    else EXPECT_NEAR(x.values[i], values[i], 1e-12 * std::max(1.0, std::fabs(values[i]))) << i;
  }
}
// A float computation stays within the bound, and the bound is at most `slack` times its worst error.
void expect_tight(array const& expected, std::vector<float> const& actual, double slack = 100) {
  auto const r = ref::compare(expected, actual);
  EXPECT_TRUE(r.good(0)) << r.message;
  EXPECT_GE(r.worst, 1 / slack) << "the bound is vacuous";
}

TEST(reference, views) {
  array const x = of({s, t}, {2, 3}, {0, 1, 2, 3, 4, 5});
  expect_values(ref::arrange(x, {t, s}), {t, s}, {0, 3, 1, 4, 2, 5});
  expect_values(ref::rename(x, t, d), {s, d}, {0, 1, 2, 3, 4, 5});
  expect_values(ref::slice(x, t, 1, 2), {s, t}, {1, 2, 4, 5});
  expect_values(ref::slice(x, t, 0, 2, 2), {s, t}, {0, 2, 3, 5});
  expect_values(ref::slice(x, t, 3, 0), {s, t}, {});
  expect_values(ref::at(x, s, 1), {t}, {3, 4, 5});
  array const y = of({c, b}, {6, 1}, {0, 1, 2, 3, 4, 5});
  array const parts = ref::split(y, c, {{n, d}, {2, 3}});
  expect_values(parts, {n, d, b}, {0, 1, 2, 3, 4, 5});
  EXPECT_EQ(ref::extent(parts, d), 3);
  expect_values(ref::merge({c, b}, parts, {n, d}, c), {c, b}, {0, 1, 2, 3, 4, 5});
  expect_values(ref::merge({c, b}, parts, {d, n}, c), {c, b}, {0, 3, 1, 4, 2, 5});
  expect_values(ref::merge({b, c}, parts, {n, d}, c), {b, c}, {0, 1, 2, 3, 4, 5});
  expect_values(ref::index(t, 3), {t}, {0, 1, 2});
  EXPECT_THROW(ref::slice(x, t, 2, 2), std::out_of_range);
  EXPECT_THROW(ref::rename(x, t, s), std::invalid_argument);
  EXPECT_THROW(ref::split(x, t, {{n, d}, {2, 2}}), std::invalid_argument);
  EXPECT_THROW(ref::at(x, d, 0), std::invalid_argument);
}

TEST(reference, elementwise_broadcasts_by_name) {
  array const x = of({s, t}, {2, 2}, {1, 2, 3, 4}), y = of({t, b}, {2, 1}, {10, 20});
  auto const plus = [](bounded const* v, ref::precision const& p) { return ref::add(v[0], v[1], p); };
  expect_values(ref::map({s, t, b}, {x, y}, plus, ref::in_f32), {s, t, b}, {11, 22, 13, 24});
  expect_values(ref::map({t, b, s}, {y, x}, plus, ref::in_f32), {t, b, s}, {11, 13, 22, 24});
  auto const smaller = [](bounded const* v, ref::precision const&) { return ref::where(ref::less(v[0], v[1]), v[2], v[0]); };
  expect_values(ref::map({s, t, b}, {ref::filled({}, {2, 0}), x, y}, smaller, ref::in_f32), {s, t, b}, {2, 2, 10, 20});
  EXPECT_THROW(ref::map({s, t}, {x, of({t}, {3}, {1, 2, 3})}, plus, ref::in_f32), std::invalid_argument);
  EXPECT_THROW(ref::map({s, t}, {x, y}, plus, ref::in_f32), std::invalid_argument) << "the result lacks an axis";
}

TEST(reference, a_list_of_axes_is_bounded) {
  ref::names axes(ref::most_axes, s);
  EXPECT_THROW(axes.push_back(t), std::length_error);
}

TEST(reference, gather_takes_rows) {
  array const table = of({c, d}, {3, 2}, {0, 1, 10, 11, 20, 21});
  expect_values(ref::gather({s, d}, table, c, of({s}, {3}, {2, 0, 2})), {s, d}, {20, 21, 0, 1, 20, 21});
  expect_values(ref::gather({s, d}, table, c, of({s}, {0}, {})), {s, d}, {});
  // an axis in both: row by row
  expect_values(ref::gather({b, s}, of({b, c}, {2, 2}, {1, 2, 3, 4}), c, of({b, s}, {2, 1}, {1, 0})), {b, s}, {2, 3});
  EXPECT_THROW(ref::gather({s, d}, table, c, of({s}, {1}, {3})), std::out_of_range);
}

TEST(reference, reductions) {
  array const x = of({s, t}, {2, 3}, {1, 2, 3, -1, -2, -6});
  expect_values(ref::reduce(x, {t}, ref::sum, ref::in_f32), {s}, {6, -9});
  expect_values(ref::reduce(x, {s, t}, ref::sum, ref::in_f32), {}, {-3});
  expect_values(ref::reduce(x, {t}, ref::mean, ref::in_f32), {s}, {2, -3});
  expect_values(ref::reduce(x, {s}, ref::largest, ref::in_f32), {t}, {1, 2, 3});
  expect_values(ref::reduce(x, {t}, ref::smallest, ref::in_f32), {s}, {1, -6});
  expect_values(ref::reduce(of({t}, {2}, {1000, 1000}), {t}, ref::logsumexp, ref::in_f32), {}, {1000 + std::log(2.0)});
  array const nothing = of({s, t}, {2, 0}, {});
  expect_values(ref::reduce(nothing, {t}, ref::sum, ref::in_f32), {s}, {0, 0});
  expect_values(ref::reduce(nothing, {t}, ref::largest, ref::in_f32), {s}, {-inf, -inf});
  expect_values(ref::reduce(nothing, {t}, ref::mean, ref::in_f32), {s}, {nan, nan});
  expect_values(ref::reduce(nothing, {t}, ref::logsumexp, ref::in_f32), {s}, {-inf, -inf});
  expect_values(ref::reduce(of({t}, {3}, {inf, 1, -inf}), {t}, ref::sum, ref::in_f32), {}, {nan});
  expect_values(ref::reduce(of({t}, {3}, {1, nan, 2}), {t}, ref::largest, ref::in_f32), {}, {nan});
}

TEST(reference, softmax_policies) {
  array const x = of({s, t}, {3, 2}, {0, std::log(3.0), -inf, 0, -inf, -inf});
  expect_values(ref::softmax(x, {t}, ref::empty_policy::zeros, ref::in_f32), {s, t}, {0.25, 0.75, 0, 1, 0, 0});
  expect_values(ref::softmax(x, {t}, ref::empty_policy::uniform, ref::in_f32), {s, t}, {0.25, 0.75, 0, 1, 0.5, 0.5});
  expect_values(ref::softmax(x, {t}, ref::empty_policy::nan, ref::in_f32), {s, t}, {0.25, 0.75, 0, 1, nan, nan});
  // a finite fill leaves a uniform row, and no more than a trace elsewhere
  array const filled = of({s, t}, {2, 2}, {-1e9, -1e9, -1e9, 1});
  array const w = ref::softmax(filled, {t}, ref::empty_policy::zeros, ref::in_f32);
  expect_values(w, {s, t}, {0.5, 0.5, 0, 1});
  for (double const b : w.bound) EXPECT_LT(b, 1e-5);
  // over the first axis
  array const columns = ref::softmax(of({s, t}, {2, 2}, {1, 2, 3, 4}), {s}, ref::empty_policy::zeros, ref::in_f32);
  expect_values(ref::reduce(columns, {s}, ref::sum, ref::in_f32), {t}, {1, 1});
}

TEST(reference, contraction_by_name) {
  array const x = of({s, d}, {2, 2}, {1, 2, 3, 4}), y = of({d, t}, {2, 3}, {1, 0, 2, 0, 1, 2});
  expect_values(ref::contract({s, t}, x, y, {d}, ref::in_f32), {s, t}, {1, 2, 6, 3, 4, 14});
  expect_values(ref::contract({t, s}, y, x, {d}, ref::in_f32), {t, s}, {1, 3, 2, 4, 6, 14});
  expect_values(ref::contract({}, x, of({d, s}, {2, 2}, {1, 2, 3, 4}), {s, d}, ref::in_f32), {}, {1 + 6 + 6 + 16});
  expect_values(ref::contract({s, t}, of({s, d}, {2, 0}, {}), of({d, t}, {0, 1}, {}), {d}, ref::in_f32), {s, t}, {0, 0});
  array const batched = ref::contract({b, s, t}, of({b, s, d}, {2, 1, 1}, {2, 3}), of({d, t}, {1, 2}, {5, 7}), {d}, ref::in_f32);
  expect_values(batched, {b, s, t}, {10, 14, 15, 21});
  EXPECT_EQ(batched.bound[0], 0) << "whole numbers that fit are exact";
  EXPECT_THROW(ref::contract({s}, x, y, {t}, ref::in_f32), std::invalid_argument);
}

TEST(reference, philox_known_answers) {
  ref::philox_block const zero = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}, ones = {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd};
  ref::philox_block const pi = {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1};
  EXPECT_EQ(ref::philox4x32({0, 0, 0, 0}, {0, 0}), zero);
  EXPECT_EQ(ref::philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}), ones);
  EXPECT_EQ(ref::philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}), pi);
}

TEST(reference, dropout_keeps_its_share_and_scales) {
  array const x = ref::filled({{s, t}, {300, 100}}, {3, 0});
  array const y = ref::dropout(x, 0.2, 42, ref::in_f32);
  long kept = 0;
  for (long i = 0; i < y.size(); ++i) {
    if (y.values[i] == 0) {
      EXPECT_EQ(y.bound[i], 0);
      continue;
    }
    ++kept;
    EXPECT_NEAR(y.values[i], 3.75, 1e-12);
  }
  EXPECT_NEAR(static_cast<double>(kept), 0.8 * 30000, 4 * std::sqrt(30000 * 0.16));
  expect_values(ref::dropout(of({s}, {2}, {1, 2}), 0, 1, ref::in_f32), {s}, {1, 2});
  expect_values(ref::dropout(of({s}, {2}, {1, nan}), 1, 1, ref::in_f32), {s}, {0, 0});
}

TEST(reference, rounding_is_that_of_the_formats) {
  std::mt19937 engine(3);
  for (int i = 0; i < 200000; ++i) {
    float x;
    std::uint32_t const bits = engine();
    std::memcpy(&x, &bits, 4);
    if (std::isnan(x)) continue;
    ASSERT_EQ(ref::nearest(x, ref::in_bf16), static_cast<double>(__bfloat162float(__float2bfloat16_rn(x)))) << x;
    ASSERT_EQ(ref::nearest(x, ref::in_f16), static_cast<double>(__half2float(__float2half_rn(x)))) << x;
    float const small = x * 1e-37f; // subnormal floats as well
    ASSERT_EQ(ref::nearest(static_cast<double>(small) * 1.1, ref::in_f32), static_cast<double>(static_cast<float>(static_cast<double>(small) * 1.1)));
  }
  EXPECT_EQ(ref::nearest(65519.99, ref::in_f16), 65504);
  EXPECT_EQ(ref::nearest(65520, ref::in_f16), inf);
  EXPECT_EQ(ref::cast_whole({-2.7, 0}).value, -2);
  EXPECT_EQ(ref::cast_whole({2.9999, 0.001}).bound, 1);
  EXPECT_EQ(ref::cast({1.00390625, 1e-9}, ref::in_bf16).bound, 0x1p-7) << "a tie, and the operand is in doubt";
}

TEST(reference, special_values) {
  auto const p = ref::in_f32;
  auto const is = [](bounded x, double v) { return x.bound == 0 && (x.value == v || (std::isnan(v) && std::isnan(x.value))); };
  EXPECT_TRUE(is(ref::add({inf, 0}, {1, 0.5}, p), inf));
  EXPECT_TRUE(is(ref::add({inf, 0}, {-inf, 0}, p), nan));
  EXPECT_TRUE(is(ref::mul({inf, 0}, {0, 0}, p), nan));
  EXPECT_TRUE(ref::undecided(ref::mul({inf, 0}, {0.1, 0.2}, p)));
  EXPECT_TRUE(is(ref::mul({inf, 0}, {-0.3, 0.2}, p), -inf));
  EXPECT_TRUE(ref::undecided(ref::mul({1e30, 0}, {1e30, 0}, p))) << "overflow is not judged";
  EXPECT_TRUE(is(ref::div({0, 0}, {0, 0}, p), nan));
  EXPECT_TRUE(ref::undecided(ref::div({1, 0}, {0, 0}, p))) << "the sign of a zero";
  EXPECT_TRUE(is(ref::div({1, 0}, {inf, 0}, p), 0));
  EXPECT_TRUE(is(ref::exp({-inf, 0}, p), 0));
  EXPECT_TRUE(is(ref::exp({inf, 0}, p), inf));
  EXPECT_TRUE(ref::undecided(ref::exp({1000, 0}, p)));
  EXPECT_TRUE(is(ref::log({0, 0}, p), -inf));
  EXPECT_TRUE(is(ref::log({-1, 0}, p), nan));
  EXPECT_TRUE(ref::undecided(ref::log({0.1, 0.2}, p)));
  EXPECT_TRUE(is(ref::sqrt({-1, 0.5}, p), nan));
  EXPECT_TRUE(ref::undecided(ref::sqrt({1e-9, 1e-8}, p)));
  EXPECT_TRUE(is(ref::tanh({nan, 0}, p), nan));
  EXPECT_TRUE(is(ref::max({nan, 0}, {1, 0}), nan));
  EXPECT_TRUE(is(ref::max({-inf, 0}, {-inf, 0}), -inf));
  EXPECT_TRUE(is(ref::gelu({nan, 0}, p), nan));
  EXPECT_TRUE(ref::undecided(ref::rounded({65504, 0}, ref::in_f16))) << "one more rounding may overflow";
  EXPECT_TRUE(is(ref::correctly_rounded({65504, 0}, ref::in_f16), 65504));
  EXPECT_THROW(ref::mul({0x1p40, 0}, {0x1p40, 0}, ref::exactly), std::overflow_error);
  // NaN compares false, and surely so
  EXPECT_TRUE(is(ref::less({nan, 0}, {1, 0}), 0));
  EXPECT_TRUE(is(ref::less_equal({nan, 0}, {1, 0}), 0));
  EXPECT_TRUE(is(ref::equal({nan, 0}, {nan, 0}), 0));
  EXPECT_TRUE(is(ref::not_equal({nan, 0}, {nan, 0}), 1));
}

TEST(reference, comparisons_know_what_rounding_may_flip) {
  auto const decided = [](bounded x, double v) { return x.bound == 0 && x.value == v; };
  EXPECT_TRUE(decided(ref::less({1, 0}, {2, 0}), 1));
  EXPECT_TRUE(decided(ref::less({2, 0}, {2, 0}), 0));
  EXPECT_TRUE(decided(ref::less_equal({2, 0}, {2, 0}), 1));
  EXPECT_TRUE(decided(ref::less_equal({-inf, 0}, {2, 0.1}), 1));
  EXPECT_TRUE(ref::undecided(ref::less({1, 0.6}, {2, 0.6})));
  EXPECT_TRUE(ref::undecided(ref::equal({1, 0.6}, {1, 0})));
  EXPECT_TRUE(decided(ref::equal({1, 0.6}, {2, 0}), 0));
  bounded const open = ref::undecided_at(1);
  EXPECT_TRUE(decided(ref::both(open, {0, 0}), 0));
  EXPECT_TRUE(decided(ref::either(open, {1, 0}), 1));
  EXPECT_TRUE(ref::undecided(ref::both(open, {1, 0})));
  EXPECT_TRUE(ref::undecided(ref::no(open)));
  EXPECT_TRUE(ref::undecided(ref::masked(open, {3, 0})));
  bounded const either = ref::where(open, {3, 0.5}, {4, 0});
  EXPECT_EQ(either.value, 3);
  EXPECT_EQ(either.bound, 1);
  EXPECT_TRUE(decided(ref::where(open, {3, 0}, {3, 0}), 3));
  // positions are exact, also as floats; so are their differences
  auto const i = ref::mul({7, 0}, {3, 0}, ref::in_f32);
  EXPECT_TRUE(decided(ref::less_equal(i, {21, 0}), 1));
}

// Bounds hold for float arithmetic and are within two orders of magnitude of it.
TEST(reference, bounds_of_elementwise_functions) {
  array const x = noise({s}, {20000}, 1, 3), y = noise({s}, {20000}, 2, 2);
  auto const fx = floats(x), fy = floats(y);
  auto const check = [&](char const* name, auto reference, auto in_floats) {
    SCOPED_TRACE(name);
    std::vector<float> actual(fx.size());
    for (std::size_t i = 0; i < fx.size(); ++i) actual[i] = in_floats(fx[i], fy[i]);
    array expected = x;
    for (long i = 0; i < x.size(); ++i) expected.set(i, reference(x[i], y[i], ref::in_f32));
    expect_tight(expected, actual);
  };
  using B = bounded const&;
  using P = ref::precision const&;
  check("add", [](B u, B v, P p) { return ref::add(u, v, p); }, [](float u, float v) { return u + v; });
  check("mul", [](B u, B v, P p) { return ref::mul(u, v, p); }, [](float u, float v) { return u * v; });
  check("div", [](B u, B v, P p) { return ref::div(u, v, p); }, [](float u, float v) { return u * (1 / v); });
  check("exp", [](B u, B, P p) { return ref::exp(u, p); }, [](float u, float) { return std::exp2(u * 1.44269504f); });
  check("log", [](B u, B, P p) { return ref::log(ref::abs(u), p); }, [](float u, float) { return std::log(std::fabs(u)); });
  check("sqrt", [](B u, B, P p) { return ref::sqrt(ref::abs(u), p); }, [](float u, float) { return std::sqrt(std::fabs(u)); });
  check("rsqrt", [](B u, B, P p) { return ref::rsqrt(ref::abs(u), p); }, [](float u, float) { return 1 / std::sqrt(std::fabs(u)); });
  check("sin", [](B u, B, P p) { return ref::sin(u, p); }, [](float u, float) { return std::sin(u); });
  check("cos", [](B u, B, P p) { return ref::cos(u, p); }, [](float u, float) { return std::cos(u); });
  check("tanh", [](B u, B, P p) { return ref::tanh(u, p); }, [](float u, float) { return std::tanh(u); });
  check("erf", [](B u, B, P p) { return ref::erf(u, p); }, [](float u, float) { return std::erf(u); });
  check("sigmoid", [](B u, B, P p) { return ref::sigmoid(u, p); }, [](float u, float) { return 1 / (1 + std::exp(-u)); });
  check("gelu", [](B u, B, P p) { return ref::gelu(u, p); }, [](float u, float) { return u * 0.5f * (1 + std::erf(u * 0.70710678f)); });
  check("gelu_tanh", [](B u, B, P p) { return ref::gelu_tanh(u, p); },
        [](float u, float) { return u * 0.5f * (1 + std::tanh(0.79788456f * (u + 0.044715f * u * u * u))); });
  check("silu", [](B u, B, P p) { return ref::silu(u, p); }, [](float u, float) { return u / (1 + std::exp(-u)); });
  check("pow", [](B u, B v, P p) { return ref::pow(ref::abs(u), v, p); }, [](float u, float v) { return std::exp(v * std::log(std::fabs(u))); });
  check("chain", [](B u, B v, P p) { return ref::tanh(ref::sub(ref::mul(u, v, p), ref::exp(u, p), p), p); },
        [](float u, float v) { return std::tanh(u * v - std::exp(u)); });
  check("stored as bf16", [](B u, B v, P p) { return ref::rounded(ref::mul(u, v, p), ref::in_bf16); },
        [](float u, float v) { return __bfloat162float(__float2bfloat16_rn(u * v)); });
  check("stored as f16", [](B u, B v, P p) { return ref::rounded(ref::mul(u, v, p), ref::in_f16); },
        [](float u, float v) { return __half2float(__float2half_rn(u * v)); });
}

TEST(reference, bounds_of_reductions) {
  for (long const length : {1, 2, 7, 64, 300}) {
    SCOPED_TRACE(length);
    array const x = noise({s, t}, {300, length}, 5, 2);
    auto const f = floats(x);
    std::vector<float> total(300), lse(300), weights(f.size());
    for (long i = 0; i < 300; ++i) {
      float sum = 0, m = -INFINITY, l = 0;
      for (long j = 0; j < length; ++j) {
        float const v = f[i * length + j], old = m;
        sum += v;
        m = std::max(m, v);
        l = l * std::exp(old - m) + std::exp(v - m);
      }
      for (long j = 0; j < length; ++j) weights[i * length + j] = std::exp(f[i * length + j] - m) / l;
      total[i] = sum;
      lse[i] = m + std::log(l);
    }
    array const sums = ref::reduce(x, {t}, ref::sum, ref::in_f32), w = ref::softmax(x, {t}, ref::empty_policy::zeros, ref::in_f32);
    if (length > 1) {
      expect_tight(sums, total, 100 + 2 * length); // the sum's worst case grows with n, what is seen with its root
      expect_tight(w, weights, 100 + 2 * length);
      expect_tight(ref::reduce(x, {t}, ref::logsumexp, ref::in_f32), lse);
    } else {
      EXPECT_TRUE(ref::compare(sums, total).good(0));
      EXPECT_TRUE(ref::compare(w, weights).good(0));
      EXPECT_TRUE(ref::compare(ref::reduce(x, {t}, ref::logsumexp, ref::in_f32), lse).good(0));
    }
  }
}

// Scores of which every one is off by more than a softmax can tell: the largest still wins where it is ahead by more.
TEST(reference, softmax_of_huge_scores) {
  array x = of({s, t}, {2, 3}, {1e18, 2e17, -1e18, 1e18, 1e18 - 1e10, 0});
  for (long i = 0; i < x.size(); ++i) x.set(i, {x[i].value, 1e12});
  array const w = ref::softmax(x, {t}, ref::empty_policy::zeros, ref::in_f32), l = ref::reduce(x, {t}, ref::logsumexp, ref::in_f32);
  for (long i = 0; i < 3; ++i) {
    EXPECT_EQ(w[i].value, i == 0);
    EXPECT_LT(w[i].bound, 1e-5);
  }
  for (long i = 3; i < 5; ++i) EXPECT_GE(w[i].bound, 1); // either of two may be the larger
  EXPECT_NEAR(l[0].value, 1e18, 1e3);
  EXPECT_GE(l[0].bound, 1e12);
  EXPECT_LT(l[0].bound, 1e13);
  EXPECT_TRUE(ref::undecided(ref::reduce(of({t}, {2}, {1, inf}), {t}, ref::logsumexp, ref::in_f32)[0]));
  EXPECT_FALSE(ref::undecided(ref::reduce(of({t}, {2}, {nan, inf}), {t}, ref::logsumexp, ref::in_f32)[0]));
}

struct attention_case {
  long rows, keys, depth;
  float scale;
};

// softmax(q k scale) v in floats, with the weights rounded to bf16 on the way if asked; and a way to break it.
template <bool Bf16Weights>
std::vector<float> float_attention(array const& q, array const& k, array const& v, float scale, int broken = 0) {
  long const rows = q.shape[0], depth = q.shape[1], keys = k.shape[0], width = v.shape[1];
  auto const fq = floats(q), fk = floats(k), fv = floats(v);
  std::vector<float> out(static_cast<std::size_t>(rows * width)), p(static_cast<std::size_t>(keys));
  for (long i = 0; i < rows; ++i) {
    float m = -INFINITY, l = 0;
    for (long j = 0; j < keys; ++j) {
      float x = 0;
      for (long h = 0; h < depth; ++h) x += fq[i * depth + h] * fk[j * depth + h];
      p[j] = x * scale;
      m = std::max(m, p[j]);
    }
    for (long j = 0; j < keys; ++j) {
      p[j] = std::exp(p[j] - m);
      if (broken == 1 && j % 2 == 0) p[j] *= 1.001f; // a rescale slightly off
      if (broken == 2 && j == keys - 1) p[j] = 0; // the last key skipped
      l += p[j];
      if (Bf16Weights) p[j] = __bfloat162float(__float2bfloat16_rn(p[j]));
    }
    for (long h = 0; h < width; ++h) {
      float o = 0;
      for (long j = 0; j < keys; ++j) o += p[j] * fv[j * width + h];
      out[i * width + h] = o / l;
      if (broken == 3 && i == rows - 1 && h == 0) out[i * width + h] = fv[0]; // one element from elsewhere
    }
  }
  return out;
}
array reference_attention(array const& q, array const& k, array const& v, float scale, bool bf16_weights) {
  array const scores = ref::contract({s, t}, q, k, {d}, ref::in_f32);
  array const factor = ref::filled({}, ref::constant(scale, ref::in_f32));
  array const scaled = ref::map({s, t}, {scores, factor}, [](bounded const* x, ref::precision const& p) { return ref::mul(x[0], x[1], p); }, ref::in_f32);
  array w = ref::softmax(scaled, {t}, ref::empty_policy::zeros, ref::in_f32);
  if (bf16_weights) w = ref::stored(w, ref::in_bf16);
  return ref::contract({s, e}, w, v, {t}, ref::in_f32);
}

TEST(reference, bounds_of_attention) {
  for (auto const& [rows, keys, depth, scale] : {attention_case{9, 17, 8, 0.35f}, {33, 65, 64, 0.125f}, {5, 300, 32, 0.2f}, {4, 1, 16, 1}, {20, 64, 16, 3}}) {
    SCOPED_TRACE(keys);
    array const q = noise({s, d}, {rows, depth}, 7), k = noise({t, d}, {keys, depth}, 8), v = noise({t, e}, {keys, 6}, 9);
    array const expected = reference_attention(q, k, v, scale, false), coarse = reference_attention(q, k, v, scale, true);
    auto const actual = float_attention<false>(q, k, v, scale), rounded = float_attention<true>(q, k, v, scale);
    EXPECT_TRUE(ref::compare(expected, actual).good(0)) << ref::compare(expected, actual).message;
    EXPECT_TRUE(ref::compare(coarse, rounded).good(0)) << ref::compare(coarse, rounded).message;
    if (keys == 1) continue;
    EXPECT_GE(ref::compare(expected, actual).worst, 0.003);
    EXPECT_GE(ref::compare(coarse, rounded).worst, 0.01);
    // a mistake of a tenth of a per cent shows in f32; a lost key or a stray element in bf16 as well
    for (int const broken : {1, 2, 3}) EXPECT_FALSE(ref::compare(expected, float_attention<false>(q, k, v, scale, broken)).good(0)) << broken;
    for (int const broken : {2, 3}) EXPECT_FALSE(ref::compare(coarse, float_attention<true>(q, k, v, scale, broken)).good(0)) << broken;
    // bf16 weights are not f32 weights
    EXPECT_FALSE(ref::compare(expected, rounded).good(0));
  }
}

TEST(reference, compare_tells_what_is_wrong) {
  array x = of({s, t}, {2, 2}, {1, inf, nan, -inf});
  x.bound = {0.1, 0, 0, 0};
  auto const judge = [&](std::vector<double> v) { return ref::compare(x, v); };
  EXPECT_TRUE(judge({1.05, inf, nan, -inf}).good(0));
  EXPECT_NEAR(judge({1.05, inf, nan, -inf}).worst, 0.5, 1e-12);
  for (auto const& wrong : std::vector<std::vector<double>>{{1.2, inf, nan, -inf}, {nan, inf, nan, -inf}, {1, -inf, nan, -inf}, {1, inf, 0, -inf}, {1, inf, nan, 0}, {1, 1e300, nan, -inf}})
    EXPECT_EQ(judge(wrong).wrong, 1);
  EXPECT_EQ(judge({1, inf, 2, -inf}).message, "at s = 1 of 2 t = 0 of 2: expected nan within 0, got 2; 1 of 4 wrong");
  EXPECT_FALSE(judge({1}).good());
  x.bound[0] = inf;
  EXPECT_FALSE(judge({7, inf, nan, -inf}).good(0.05)) << "a quarter undecided is too much";
  EXPECT_TRUE(judge({7, inf, nan, -inf}).good(0.25));
  EXPECT_TRUE(ref::compare(of({s}, {0}, {}), std::vector<float>{}).good(0));
}

} // namespace
