// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A fused attention in the emulator against a plain f64 one, within what its arithmetic allows.
#pragma once
#include <algorithm>
#include <attend/kernels/cuda/attention.cuh>
#include <gtest/gtest.h>
#include <memory>
#include <random>
#include <vector>

namespace attend::emulated {

using namespace attend::kernels;
using namespace attend::kernels::cuda;
namespace op = attend::op;
namespace empty_row = attend::empty_row;

inline constexpr double inf = std::numeric_limits<double>::infinity();
inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// Batch, heads of keys and values, query heads for each of them, rows, keys, depth, width.
struct shape {
  long b, g, r, s, t, d, e;
};
inline std::ostream& operator<<(std::ostream& out, shape const& x) {
  return out << "b" << x.b << " g" << x.g << " r" << x.r << " s" << x.s << " t" << x.t << " d" << x.d << " e" << x.e;
}

/// How a (b, g, r, row, column) tensor lies in memory.
enum class layout { plain, heads_in_the_middle, columns_first, backwards, padded_by_2, padded_by_1, sparse };

/// A tensor in global memory of exactly its size, gaps filled with NaN; repeated over r, where it is of keys or values.
template <class T>
struct tensor {
  long extent[5], stride[5], offset = 0;
  std::unique_ptr<emulator::global_memory> memory;

  tensor(char const* name, layout how, long b, long g, long r, bool repeated, long rows, long columns)
      : extent{b, g, r, rows, columns} {
    long const h = repeated ? 1 : r, n = rows, c = columns;
    auto const set = [&](long sb, long sg, long sr, long sn, long sc) {
      long const all[] = {sb, sg, repeated ? 0 : sr, sn, sc};
      std::copy_n(all, 5, stride);
    };
    auto const padded = [&](long row, long by) { set(g * h * n * row, h * n * row, n * row, row, by); };
    switch (how) {
    case layout::plain: padded(c, 1); break;
    case layout::heads_in_the_middle: set(n * g * h * c, h * c, c, g * h * c, 1); break;
    case layout::columns_first: set(g * h * n * c, h * n * c, n * c, 1, n); break;
    case layout::backwards: set(-g * h * n * c, h * n * c, n * c, -c, 1), offset = (b - 1) * g * h * n * c + (n - 1) * c; break;
    case layout::padded_by_2: padded(c + 2, 1); break;
    case layout::padded_by_1: padded(c + 1, 1); break;
    case layout::sparse: padded(3 * c, 2); break;
    }
    bool const none = b * g * r * n * c == 0;
    if (none) offset = 0;
    long last = offset;
    for (int i = 0; i < 5; ++i) last += std::max(0l, stride[i] * (extent[i] - 1));
    memory = std::make_unique<emulator::global_memory>(name, none ? 0 : static_cast<std::size_t>(last + 1) * sizeof(T));
  }
  T* data() const { return reinterpret_cast<T*>(memory->data()); }
  T& operator()(long b, long g, long r, long n, long c) const {
    return data()[offset + b * stride[0] + g * stride[1] + r * stride[2] + n * stride[3] + c * stride[4]];
  }
  double get(long b, long g, long r, long n, long c) const { return load_number<double>((*this)(b, g, r, n, c)); }
  template <class F>
  void fill(F f) const {
    for (long b = 0; b < extent[0]; ++b)
      for (long g = 0; g < extent[1]; ++g)
        for (long r = 0; r < (stride[2] == 0 ? std::min(extent[2], 1l) : extent[2]); ++r)
          for (long n = 0; n < extent[3]; ++n)
            for (long c = 0; c < extent[4]; ++c) (*this)(b, g, r, n, c) = store_number<T>(static_cast<float>(f()));
  }
  template <class U>
  matrix<U, 3> view() const {
    return {data() + offset, {stride[0], stride[1], stride[2]}, stride[3], stride[4]};
  }
};

/// A table in global memory, for functors that load.
template <class T>
struct table {
  std::shared_ptr<emulator::global_memory> memory;
  template <class F>
  table(char const* name, long n, F f)
      : memory(std::make_shared<emulator::global_memory>(name, static_cast<std::size_t>(n) * sizeof(T))) {
    for (long i = 0; i < n; ++i) data()[i] = static_cast<T>(f(i));
  }
  T* data() const { return reinterpret_cast<T*>(memory->data()); }
};

template <class T>
struct inputs {
  shape n;
  tensor<T> q, k, v;
  double scale, output_scale = 1;

  explicit inputs(shape const& n, layout lq = layout::plain, layout lk = layout::plain, layout lv = layout::plain, double spread = 1)
      : n(n), q("query", lq, n.b, n.g, n.r, false, n.s, n.d), k("key", lk, n.b, n.g, n.r, true, n.t, n.d),
        v("value", lv, n.b, n.g, n.r, true, n.t, n.e), scale(1 / std::sqrt(static_cast<double>(std::max(n.d, 1l)))) {
    std::mt19937 random(static_cast<unsigned>(n.s * 31 + n.t * 7 + n.d));
    std::normal_distribution<double> normal;
    auto const next = [&] { return normal(random) * spread; };
    q.fill(next), k.fill(next), v.fill(next);
  }
};

/// Output and log-sum-exp in f64 and, for each element, how far the kernel may be from it.
struct expected {
  std::vector<double> out, bound, sums, sums_bound;
};

/// `spread`: bound of the terms a functor adds to scores, whose roundings count too.
template <class Empty, class T, class Out, class Score, class Weighing>
expected oracle(inputs<T> const& in, Score const& score, Weighing const& weighing, double spread) {
  constexpr double u = 0x1p-24;
  constexpr double of_weights = std::is_same_v<T, bf16> ? 0x1p-8 : 0x1p-11;
  constexpr double unit = std::is_same_v<Out, float> ? u : std::is_same_v<Out, bf16> ? 0x1p-8 : 0x1p-11;
  constexpr double exponential = 0x1p-22;                             // 2^x by the hardware
  constexpr double tiny = std::is_same_v<T, f16> ? 0x1p-25 : 0x1p-126; // half of the least weight, of at most 1
  auto const& n = in.n;
  double const tiles = static_cast<double>(n.t / 64 + 2);
  expected result;
  std::vector<double> x(n.t), error(n.t), w(n.t);
  for (long b = 0; b < n.b; ++b)
    for (long g = 0; g < n.g; ++g)
      for (long r = 0; r < n.r; ++r)
        for (long i = 0; i < n.s; ++i) {
          double largest = -inf, farthest = 0;
          for (long j = 0; j < n.t; ++j) {
            double dot = 0, magnitude = 0;
            for (long c = 0; c < n.d; ++c) {
              double const term = in.scale * in.q.get(b, g, r, i, c) * in.k.get(b, g, r, j, c);
              dot += term, magnitude += std::abs(term);
            }
            x[j] = static_cast<double>(value<double>(score, point<5>{{b, g, r, i, j}}, dot));
            error[j] = static_cast<double>(n.d + 3) * u * magnitude + 8 * u * (std::abs(dot) + spread);
            largest = std::max(largest, x[j]);
            if (std::isfinite(x[j])) farthest = std::max(farthest, std::abs(x[j]));
          }
          bool const empty = largest == -inf;
          double sum = 0, sum_error = 0;
          for (long j = 0; j < n.t; ++j) {
            w[j] = empty ? (std::is_same_v<Empty, empty_row::zeros_t> ? 0 : 1) : std::exp(x[j] - largest);
            sum += w[j];
            error[j] += (x[j] > -inf ? 2 * u * (largest - x[j]) : 0) + tiles * (exponential + 3 * u * farthest) + static_cast<double>(n.t + 8) * u;
            sum_error += w[j] > 0 ? w[j] * error[j] : 0;
          }
          result.sums.push_back(empty ? -inf : largest + std::log(sum));
          result.sums_bound.push_back(empty ? 0 : 1.1 * (sum_error / sum + 4 * u * (farthest + std::abs(std::log(sum)) + 1)));
          for (long c = 0; c < n.e; ++c) {
            double out = 0, bound = 0;
            for (long j = 0; j < n.t; ++j) {
              double const share = sum > 0 ? w[j] / sum : 0;
              double const weight = static_cast<double>(value<double>(weighing, point<5>{{b, g, r, i, j}}, share));
              double const per = share > 0 ? std::abs(weight / share) : 1, v = in.v.get(b, g, r, j, c);
              out += weight * v;
              bound += share > 0 ? std::abs(weight) * (error[j] + sum_error / sum + of_weights) * std::abs(v) : 0;
              bound += tiny * std::max(per, 1.0) * std::abs(v);
            }
            if (empty && n.t > 0 && std::is_same_v<Empty, empty_row::nan_t>) out = nan;
            out *= in.output_scale;
            result.out.push_back(out);
            result.bound.push_back(1.1 * (std::abs(in.output_scale) * bound + unit * std::abs(out)) + (std::is_same_v<Out, f16> ? 0x1p-25 : 0x1p-126));
          }
        }
  return result;
}

/// Runs the kernel, of the head dims given, and judges all it wrote.
template <class Empty = empty_row::zeros_t, class Out = void, class HeadDims = attention_head_dims, class T, class Score, class Weighing = argument<0>>
void check(inputs<T> const& in, Score const& score, Weighing const& weighing = {}, double spread = 0, layout lo = layout::plain) {
  using Result = std::conditional_t<std::is_void_v<Out>, T, Out>;
  auto const& n = in.n;
  tensor<Result> const out("out", lo, n.b, n.g, n.r, false, n.s, n.e);
  tensor<float> const sums("log-sum-exp", layout::plain, n.b, n.g, n.r, false, n.s, 1);
  attention_problem<T, Result, 3> const problem{{n.b, n.g, n.r}, n.s, n.t, n.d, n.e, in.q.template view<T const>(),
                                                in.k.template view<T const>(), in.v.template view<T const>(),
                                                out.template view<Result>(), in.scale, in.output_scale};
  attention_results<void, float, 3> const also{{}, sums.view<float>()};
  ASSERT_EQ(cuda::attention<Empty>(nullptr, problem, score, weighing, no_gain{}, also, HeadDims{}), cudaSuccess);
  expected const want = oracle<Empty, T, Result>(in, score, weighing, spread);
  std::size_t at = 0, row = 0;
  for (long b = 0; b < n.b; ++b)
    for (long g = 0; g < n.g; ++g)
      for (long r = 0; r < n.r; ++r)
        for (long i = 0; i < n.s; ++i, ++row) {
          double const sum = sums.get(b, g, r, i, 0), sum_wanted = want.sums[row];
          if (std::isnan(sum_wanted)) ASSERT_TRUE(std::isnan(sum));
          else if (std::isinf(sum_wanted)) ASSERT_EQ(sum, sum_wanted) << "log-sum-exp at " << b << ' ' << g << ' ' << r << ' ' << i;
          else ASSERT_LE(std::abs(sum - sum_wanted), want.sums_bound[row]) << "log-sum-exp at " << b << ' ' << g << ' ' << r << ' ' << i << ": " << sum << " for " << sum_wanted;
          for (long c = 0; c < n.e; ++c, ++at) {
            double const x = out.get(b, g, r, i, c), y = want.out[at];
            if (std::isnan(y)) ASSERT_TRUE(std::isnan(x)) << b << ' ' << g << ' ' << r << ' ' << i << ' ' << c;
            else ASSERT_LE(std::abs(x - y), want.bound[at]) << b << ' ' << g << ' ' << r << ' ' << i << ' ' << c << ": " << x << " for " << y;
          }
        }
}

template <class Op, class... X>
apply<Op, X...> make(Op, X... x) {
  return {{{x}...}};
}

// Axes of a functor: b, g, r, s, t.
inline constexpr argument<0> score{};
inline constexpr coordinate<2> r{};
inline constexpr coordinate<3> s{};
inline constexpr coordinate<4> t{};

inline auto causal() { return make(op::masked{}, make(op::less_equal{}, t, s), score); }
inline auto bottom_right(long rows, long keys) {
  return make(op::masked{}, make(op::less_equal{}, t, make(op::add{}, s, whole_constant{keys - rows})), score);
}
inline auto window(long left, long right) {
  auto const distance = make(op::sub{}, t, s);
  return make(op::masked{}, make(op::both{}, make(op::less_equal{}, whole_constant{-left}, distance), make(op::less_equal{}, distance, whole_constant{right})),
              score);
}
inline auto softcap(double cap) { return make(op::mul{}, constant{cap}, make(op::tanh{}, make(op::div{}, score, constant{cap}))); }

template <int... HeadDims>
using only = std::integer_sequence<int, HeadDims...>;

} // namespace attend::emulated
