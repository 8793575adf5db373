// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a contraction does beside its sums: scale, bias, activation, residual, and the types that numbers come and go in.
#include "contraction.hpp"
#include <tbb/task_arena.h>

namespace attend::kernels::contraction::tests {
namespace {

TEST(contraction, epilogues) {
  constexpr activation all[] = {activation::none,    activation::relu, activation::gelu, activation::gelu_tanh,
                                activation::silu,    activation::sigmoid, activation::tanh, activation::exp,
                                activation::abs,     activation::sqrt, activation::square};
  std::map<char, std::int64_t> const e{{'b', 3}, {'m', 21}, {'n', 35}, {'k', 24}};
  for (auto const f : all)
    for (auto const t : types)
      for (auto const bias : {"", "n", "bmn", "m", "b", "mn_", "n~"})
        for (auto const residual : {"", "bmn", "n", "nmb", "b_m_n_"}) {
          options o;
          o.function = f;
          o.bias = bias;
          o.residual = residual;
          o.bias_type = t == data_type::f16 ? data_type::bf16 : data_type::f32;
          o.residual_type = t;
          o.scale = 0.3;
          if (f == activation::sqrt) o.low = 0.25;
          check("bmk", "bnk", "bmn", e, {t, t, t}, o);
        }
}

TEST(contraction, epilogues_over_several_axes) {
  for (auto const t : types)
    for (auto const bias : {"nd", "dn", "sb", "bnsd"}) {
      options o;
      o.function = activation::gelu;
      o.bias = bias;
      o.bias_type = t;
      o.residual = "bsnd";
      o.scale = 0.125;
      check("bsc", "ndc", "bnsd", {{'b', 2}, {'s', 30}, {'c', 24}, {'n', 4}, {'d', 8}}, {t, t, t}, o);
      check("bsc", "ndc", "dnsb", {{'b', 2}, {'s', 30}, {'c', 24}, {'n', 4}, {'d', 8}}, {t, t, t}, o);
    }
}

// Heads side by side in the rows of the result: (b, s, n, d).
TEST(contraction, epilogues_of_batches_inside_rows) {
  for (auto const t : types)
    for (auto const residual : {"", "mbn"})
      for (std::int64_t const n : {7, 8, 32}) {
        options o;
        o.bias = "n";
        o.residual = residual;
        o.residual_type = t;
        for (std::int64_t const m : {6, 65})
          for (auto const y : {"bkn", "kn"}) check("bmk", y, "mbn", {{'b', 2}, {'m', m}, {'n', n}, {'k', 64}}, {t, t, t}, o);
      }
}

// Products of many rows go by panels of columns, in tiles of rows: every remainder of rows, columns and depth, panels that a
// matrix shares with the next or not, and sums with all that may be added to them.
TEST(contraction, many_rows_around_the_edges_of_tiles) {
  auto const t = data_type::f32;
  for (std::int64_t const m : {48, 53, 98})
    for (std::int64_t const n : {16, 31, 64, 65, 100, 144})
      for (std::int64_t const k : {16, 37, 96})
        for (auto const y : {"kn", "nk", "bkn", "bnk"}) {
          options o;
          o.scale = 0.5;
          o.bias = "n";
          check("bmk", y, "bmn", {{'b', 2}, {'m', m}, {'n', n}, {'k', k}}, {t, t, t}, o);
          o.residual = "bmn";
          check("bmk", y, "bmn", {{'b', 2}, {'m', m}, {'n', n}, {'k', k}}, {t, t, t}, o);
          check("bmk", y, "bmn", {{'b', 2}, {'m', m}, {'n', n}, {'k', k}}, {t, t, t});
        }
}
// One thread takes all pieces of rows for one piece of columns, then for the next one, and for the next matrix.
TEST(contraction, panels_are_kept_for_all_rows_and_no_longer) {
  options o;
  o.function = activation::relu; // a pass over pieces of the sums
  auto const t = data_type::f32;
  for (auto const y : {"kn", "nk", "bnk"})
    for (std::int64_t const k : {48, 200})
      tbb::task_arena{1}.execute([&] { check("bmk", y, "bmn", {{'b', 2}, {'m', 500}, {'n', 400}, {'k', k}}, {t, t, t}, o); });
}

TEST(contraction, adds_to_what_is_there) {
  for (auto const t : types)
    for (auto const out : {"mn", "nm", "m_n_"}) {
      options o;
      o.in_place = true;
      o.scale = 2;
      o.bias = "n";
      o.bias_type = t;
      check("mk", "kn", out, {{'m', 37}, {'n', 29}, {'k', 41}}, {t, t, t}, o);
      check("mk", "kn", out, {{'m', 300}, {'n', 200}, {'k', 64}}, {t, t, t}, o);
    }
}

// One number through a product with 1: the activation alone, over all of its range.
TEST(contraction, activations_over_their_range) {
  std::vector<float> x;
  for (int i = -4000; i <= 4000; ++i) x.push_back(float(i) * 0.026f); // to 104
  for (int e = -149; e <= 127; ++e)
    for (float const m : {1.f, 1.3f, 1.9f})
      for (float const s : {-1.f, 1.f}) x.push_back(s * std::ldexp(m, e));
  for (float const special : {0.f, -0.f, INFINITY, -INFINITY, NAN}) x.push_back(special);
  std::vector<float> out(x.size());
  float const one = 1;
  for (auto const f : {activation::none, activation::relu, activation::gelu, activation::gelu_tanh, activation::silu,
                       activation::sigmoid, activation::tanh, activation::exp, activation::abs, activation::sqrt,
                       activation::square}) {
    problem p;
    p.axes = 1;
    p.extents = {std::int64_t(x.size())};
    p.x = {&one, data_type::f32, {0}};
    p.y = {x.data(), data_type::f32, {1}};
    p.out = {out.data(), data_type::f32, {1}};
    p.finish.function = f;
    contract(p);
    for (std::size_t i = 0; i < x.size(); ++i) {
      double const expected = exact(f, x[i]);
      // Below the normal range errors are counted in smallest numbers; x times a weight counts them x times.
      double const times = f == activation::gelu || f == activation::gelu_tanh || f == activation::silu ? std::abs(x[i]) : 0;
      double const bound = (relative_error(f, x[i], u32) + u32) * std::abs(expected) * 1.01 + (2 + times) * smallest_of(data_type::f32);
      if (std::isnan(expected)) EXPECT_TRUE(std::isnan(out[i])) << int(f) << " of " << x[i] << " is " << out[i];
      else if (std::abs(expected) > 0x1.ffffffp127) EXPECT_TRUE(std::isinf(out[i]) && (out[i] > 0) == (expected > 0)) << int(f) << " of " << x[i] << " is " << out[i];
      else EXPECT_LE(std::abs(out[i] - expected), bound) << int(f) << " of " << x[i] << " is " << out[i] << ", not " << expected;
    }
  }
}

// Every 16-bit number comes in exactly, and f32 numbers around every 16-bit number go out to the nearest one.
TEST(contraction, conversions) {
  for (auto const t : {data_type::bf16, data_type::f16}) {
    std::vector<std::uint16_t> all(65536);
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint16_t>(i);
    std::vector<float> wide(all.size());
    float const one = 1;
    problem p;
    p.axes = 1;
    p.extents = {65536};
    p.x = {&one, data_type::f32, {0}};
    p.y = {all.data(), t, {1}};
    p.out = {wide.data(), data_type::f32, {1}};
    contract(p);
    for (std::size_t i = 0; i < all.size(); ++i) {
      double const expected = read(all.data(), std::int64_t(i), t);
      if (std::isnan(expected)) EXPECT_TRUE(std::isnan(wide[i]));
      else EXPECT_EQ(wide[i], expected) << i;
    }
    std::vector<float> values;
    for (float const w : wide) {
      if (!std::isfinite(w)) continue;
      float const next = static_cast<float>(rounded(w * (1 + 2 * unit_of(t)) + std::copysign(smallest_of(t), w) / 2, t));
      float const middle = static_cast<float>((double(w) + next) / 2);
      for (float const v : {w, middle, std::nextafter(middle, -INFINITY), std::nextafter(middle, INFINITY)}) values.push_back(v);
    }
    for (float const v : {65504.f, 65519.f, 65520.f, 65536.f, 1e30f, 3.4e38f, INFINITY, -INFINITY, NAN, -NAN, 1e-45f, 2.98e-8f, 2.99e-8f, -1e-40f})
      values.push_back(v);
    std::vector<std::uint16_t> narrow(values.size());
    p.extents = {std::int64_t(values.size())};
    p.y = {values.data(), data_type::f32, {1}};
    p.out = {narrow.data(), t, {1}};
    contract(p);
    for (std::size_t i = 0; i < values.size(); ++i) {
      double const got = read(narrow.data(), std::int64_t(i), t);
      if (std::isnan(values[i])) EXPECT_TRUE(std::isnan(got));
      else EXPECT_EQ(got, rounded(values[i], t)) << name_of(t) << " " << values[i];
    }
  }
}

} // namespace
} // namespace attend::kernels::contraction::tests
