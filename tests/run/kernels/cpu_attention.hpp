// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Operands of the fused CPU attention in any layout, and the same attention in f64 with the bound that f32 arithmetic
// stays within.
#pragma once
#include <attend/kernels/cpu/attention.hpp>
#include <functional>
#include <gtest/gtest.h>
#include <limits>
#include <memory>
#include <random>
#include <vector>

namespace attend::kernels::testing_attention {

using namespace attend::kernels::cpu;

inline constexpr double inf = std::numeric_limits<double>::infinity();
inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();

struct shape {
  long b, h, s, t, d, e;
};
inline std::ostream& operator<<(std::ostream& out, shape const& x) {
  return out << "(b" << x.b << " h" << x.h << " s" << x.s << " t" << x.t << " d" << x.d << " e" << x.e << ")";
}

/// How a (b, h, row, column) tensor lies in memory.
enum class layout { plain, heads_in_the_middle, columns_first, backwards, one_for_all_heads, one_row, sparse };
constexpr layout layouts[] = {layout::plain,     layout::heads_in_the_middle, layout::columns_first,
                              layout::backwards, layout::one_for_all_heads,   layout::sparse};

/// A tensor in memory of exactly its size, gaps filled with NaN.
template <class T>
struct tensor {
  std::vector<T> memory;
  long offset = 0;
  long stride[4]; // b, h, row, column

  tensor(layout how, long b, long h, long rows, long columns) {
    long const r = rows, c = columns;
    auto const set = [&](long sb, long sh, long sr, long sc) { stride[0] = sb, stride[1] = sh, stride[2] = sr, stride[3] = sc; };
    switch (how) {
    case layout::plain: set(h * r * c, r * c, c, 1); break;
    case layout::heads_in_the_middle: set(r * h * c, c, h * c, 1); break;
    case layout::columns_first: set(h * r * c, r * c, 1, r); break;
    case layout::backwards: set(-h * r * c, r * c, -c, 1), offset = (b - 1) * h * r * c + (r - 1) * c; break;
    case layout::one_for_all_heads: set(r * c, 0, c, 1), h = 1; break;
    case layout::one_row: set(h * c, c, 0, 1), rows = 1; break;
    case layout::sparse: set(3 * h * r * c, 3 * r * c, 3 * c, 2); break;
    }
    if (b == 0 || h == 0 || rows == 0 || columns == 0) offset = 0;
    else {
      long last = offset;
      long const extent[] = {b, h, rows, columns};
      for (int i = 0; i < 4; ++i) last += std::max(0l, stride[i] * (extent[i] - 1));
      memory.assign(static_cast<std::size_t>(last) + 1, store_number<T>(static_cast<float>(nan)));
    }
  }
  T& operator()(long b, long h, long r, long c) {
    return memory[static_cast<std::size_t>(offset + b * stride[0] + h * stride[1] + r * stride[2] + c * stride[3])];
  }
  double get(long b, long h, long r, long c) { return load_number<double>((*this)(b, h, r, c)); }
  std::vector<double> rows(long b, long h, long rows, long columns) {
    std::vector<double> all;
    for (long r = 0; r < rows; ++r)
      for (long c = 0; c < columns; ++c) all.push_back(get(b, h, r, c));
    return all;
  }
  template <class U>
  matrix<U, 2> view() {
    return {memory.data() + offset, {stride[0], stride[1]}, stride[2], stride[3]};
  }
};

template <class T>
struct inputs {
  shape n;
  tensor<T> q, k, v;
  double scale, output_scale = 1;

  inputs(shape n, layout lq, layout lk, layout lv, double spread = 1)
      : n(n), q(lq, n.b, n.h, n.s, n.d), k(lk, n.b, n.h, n.t, n.d), v(lv, n.b, n.h, n.t, n.e),
        scale(1 / std::sqrt(static_cast<double>(std::max(n.d, 1l)))) {
    std::mt19937 random(static_cast<unsigned>(n.s * 31 + n.t * 7 + n.d));
    std::normal_distribution<float> normal;
    auto const fill = [&](tensor<T>& x, long rows, long columns) {
      for (long b = 0; b < n.b; ++b)
        for (long h = 0; h < n.h; ++h)
          for (long r = 0; r < rows; ++r)
            for (long c = 0; c < columns; ++c) x(b, h, r, c) = store_number<T>(normal(random) * static_cast<float>(spread));
    };
    fill(q, n.s, n.d), fill(k, n.t, n.d), fill(v, n.t, n.e);
  }
};

template <class Empty, class Out, class T, class Score>
tensor<Out> fused(inputs<T>& in, Score const& score, layout lo = layout::plain) {
  auto const& n = in.n;
  tensor<Out> out(lo, n.b, n.h, n.s, n.e);
  attention<Empty>(attention_problem<T, Out, 2>{{n.b, n.h}, n.s, n.t, n.d, n.e, in.q.template view<T const>(),
                                                in.k.template view<T const>(), in.v.template view<T const>(),
                                                out.template view<Out>(), in.scale, in.output_scale},
                   score);
  return out;
}

/// The output in f64 and, for each element, how far f32 arithmetic may be from it.
struct expected {
  std::vector<double> out, bound;
};

/// `spread`: bound of the terms a functor adds to scores, whose roundings count too.
template <class Empty, class Out, class T, class Score>
expected oracle(inputs<T>& in, Score const& score, double spread = 0) {
  constexpr double u = 0x1p-24;
  constexpr double unit = std::is_same_v<Out, float> ? u : std::is_same_v<Out, bf16> ? 0x1p-8 : 0x1p-11;
  constexpr double exponential = attend::half_precision<T> && attend::half_precision<Out> ? 1.4e-4 : 3e-7;
  constexpr double rounded = cpu::detail::arithmetic_of<T, Out>::rounds_weights ? 0x1p-8 : 0; // a weight, to bf16
  auto const& n = in.n;
  expected result;
  std::vector<double> x(n.t), error(n.t), w(n.t);
  for (long b = 0; b < n.b; ++b)
    for (long h = 0; h < n.h; ++h) {
      auto const q = in.q.rows(b, h, n.s, n.d), k = in.k.rows(b, h, n.t, n.d), v = in.v.rows(b, h, n.t, n.e);
      for (long i = 0; i < n.s; ++i) {
        double largest = -inf;
        for (long j = 0; j < n.t; ++j) {
          double const *const query = q.data() + i * n.d, *const key = k.data() + j * n.d;
          double dot = 0, magnitude = 0;
          for (long c = 0; c < n.d; ++c) {
            double const term = in.scale * query[c] * key[c];
            dot += term, magnitude += std::abs(term);
          }
          x[j] = static_cast<double>(value<double>(score, point<4>{{b, h, i, j}}, dot));
          error[j] = (n.d + 3) * u * magnitude + 8 * u * (std::abs(dot) + spread);
          largest = std::max(largest, x[j]);
        }
        bool const empty = largest == -inf;
        double sum = 0;
        for (long j = 0; j < n.t; ++j) {
          w[j] = empty ? (std::is_same_v<Empty, empty_row::uniform_t> ? 1 : 0) : std::exp(x[j] - largest);
          sum += w[j];
          double const blocks = static_cast<double>(n.t / 90 + 2);
          error[j] = error[j] + (x[j] > -inf ? u * (largest - x[j]) : 0) + exponential * blocks + (n.t + 8) * u;
        }
        for (long j = 0; j < n.t; ++j) w[j] = sum > 0 ? w[j] / sum : 0, error[j] = w[j] > 0 ? w[j] * (error[j] + rounded) : 0;
        double const *const weights = w.data(), *const off = error.data();
        for (long c = 0; c < n.e; ++c) {
          double const* const column = v.data() + c;
          double out = 0, bound = 0;
          for (long j = 0; j < n.t; ++j) out += weights[j] * column[j * n.e];
          for (long j = 0; j < n.t; ++j) bound += off[j] * (std::abs(column[j * n.e]) + std::abs(out));
          if (empty && std::is_same_v<Empty, empty_row::nan_t>) out = nan;
          out *= in.output_scale;
          result.out.push_back(out);
          result.bound.push_back(1.1 * (std::abs(in.output_scale) * bound + unit * std::abs(out)) + n.t * 0x1p-125 +
                                 (std::is_same_v<Out, f16> ? 0x1p-25 : 0));
        }
      }
    }
  return result;
}

template <class Out>
void compare(tensor<Out>& got, expected const& want, shape const& n) {
  std::size_t at = 0;
  double worst = 0;
  for (long b = 0; b < n.b; ++b)
    for (long h = 0; h < n.h; ++h)
      for (long i = 0; i < n.s; ++i)
        for (long c = 0; c < n.e; ++c, ++at) {
          double const x = got.get(b, h, i, c), y = want.out[at];
          if (std::isnan(y)) ASSERT_TRUE(std::isnan(x)) << b << ' ' << h << ' ' << i << ' ' << c;
          else ASSERT_LE(std::abs(x - y), want.bound[at]) << b << ' ' << h << ' ' << i << ' ' << c << ": " << x << " for " << y;
          if (want.bound[at] > 0) worst = std::max(worst, std::abs(x - y) / want.bound[at]);
        }
  ASSERT_LE(worst, 1);
}

template <class Empty, class Out, class T, class Score>
void check(inputs<T>& in, Score const& score, double spread = 0, layout lo = layout::plain) {
  auto got = fused<Empty, Out>(in, score, lo);
  compare(got, oracle<Empty, Out>(in, score, spread), in.n);
}

} // namespace attend::kernels::testing_attention
