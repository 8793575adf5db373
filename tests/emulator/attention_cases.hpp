// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A fused attention in the emulator against a plain f64 one, within what its arithmetic allows.
#pragma once
#include <algorithm>
#include <attend/kernels/cuda/attention.cuh>
#include <gtest/gtest.h>
#include <memory>
#include <random>
#include <support/attention_functors.hpp>
#include <vector>

namespace attend::emulated {

using namespace attend::kernels;
using namespace attend::kernels::cuda;
using namespace attend::tests;
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
  std::vector<double> matrix_at(long b, long g, long r) const {
    std::vector<double> all;
    for (long n = 0; n < extent[3]; ++n)
      for (long c = 0; c < extent[4]; ++c) all.push_back(get(b, g, r, n, c));
    return all;
  }
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
template <class Empty, class T, class Out, class Score, class Weighing, class Gain>
expected oracle(inputs<T> const& in, Score const& score, Weighing const& weighing, Gain const& gain, double spread) {
  constexpr double u = 0x1p-24;
  constexpr double of_weights = std::is_same_v<T, bf16> ? 0x1p-8 : std::is_same_v<T, f16> ? 0x1p-11 : 8 * u;
  constexpr double of_products = std::is_same_v<T, float> ? 8 : 0; // in units of u; those of 16-bit numbers are exact
  constexpr double unit = std::is_same_v<Out, float> ? u : std::is_same_v<Out, bf16> ? 0x1p-8 : 0x1p-11;
  constexpr double exponential = 0x1p-22;                              // 2^x by the hardware
  constexpr double tiny = std::is_same_v<T, f16> ? 0x1p-25 : 0x1p-126; // half of the least weight, of at most 1
  auto const& n = in.n;
  double const tiles = static_cast<double>(n.t / 64 + 2);
  expected result;
  std::vector<double> x(n.t), error(n.t), w(n.t), weight(n.t), off(n.t);
  for (long b = 0; b < n.b; ++b)
    for (long g = 0; g < n.g; ++g)
      for (long r = 0; r < n.r; ++r) {
        auto const q = in.q.matrix_at(b, g, r), k = in.k.matrix_at(b, g, r), v = in.v.matrix_at(b, g, r);
        for (long i = 0; i < n.s; ++i) {
          double largest = -inf, farthest = 0;
          for (long j = 0; j < n.t; ++j) {
            double const *const query = q.data() + i * n.d, *const key = k.data() + j * n.d;
            double dot = 0, magnitude = 0;
            for (long c = 0; c < n.d; ++c) {
              double const term = in.scale * query[c] * key[c];
              dot += term, magnitude += std::abs(term);
            }
            x[j] = static_cast<double>(value<double>(score, point<5>{{b, g, r, i, j}}, dot));
            error[j] = (static_cast<double>(n.d + 3) + of_products) * u * magnitude + 8 * u * (std::abs(dot) + spread);
            largest = std::max(largest, x[j]);
            if (std::isfinite(x[j])) farthest = std::max(farthest, std::abs(x[j]));
          }
          bool const empty = largest == -inf && std::none_of(x.begin(), x.end(), [](double y) { return std::isnan(y); });
          double sum = 0, sum_error = 0;
          for (long j = 0; j < n.t; ++j) {
            w[j] = empty ? (std::is_same_v<Empty, empty_row::zeros_t> ? 0 : 1) : std::exp(x[j] - largest);
            sum += w[j];
            error[j] += (x[j] > -inf ? 2 * u * (largest - x[j]) : 0) + tiles * (exponential + 3 * u * farthest) + static_cast<double>(n.t + 8) * u;
            sum_error += w[j] > 0 ? w[j] * error[j] : 0;
          }
          double const log_sum = empty ? -inf : largest + std::log(sum);
          double const log_error = empty ? 0 : 1.1 * (sum_error / sum + 4 * u * (farthest + std::abs(std::log(sum)) + 1));
          result.sums.push_back(log_sum), result.sums_bound.push_back(log_error);
          double factor = in.output_scale, factor_error = 0;
          if constexpr (!std::is_same_v<Gain, no_gain>) {
            auto const at = [&](double y) { return in.output_scale * static_cast<double>(value<double>(gain, point<5>{{b, g, r, i, 0}}, y)); };
            factor = at(log_sum);
            factor_error = std::max(std::abs(at(log_sum - log_error) - factor), std::abs(at(log_sum + log_error) - factor)) + 16 * u * std::abs(factor);
          }
          for (long j = 0; j < n.t; ++j) {
            double const share = sum == 0 ? 0 : w[j] / sum;
            weight[j] = static_cast<double>(value<double>(weighing, point<5>{{b, g, r, i, j}}, share));
            double const of_one = std::abs(static_cast<double>(value<double>(weighing, point<5>{{b, g, r, i, j}}, 1.0)));
            off[j] = (share > 0 ? std::abs(weight[j]) * (error[j] + sum_error / sum + of_weights + 4 * u) : 0) + tiny * of_one;
          }
          for (long c = 0; c < n.e; ++c) {
            double out = 0, bound = 0;
            for (long j = 0; j < n.t; ++j) out += weight[j] * v[j * n.e + c], bound += off[j] * std::abs(v[j * n.e + c]);
            if (empty && n.t > 0 && std::is_same_v<Empty, empty_row::nan_t>) out = nan;
            bound = std::abs(factor) * bound + factor_error * std::abs(out);
            out *= factor;
            result.out.push_back(out);
            result.bound.push_back(1.1 * (bound + unit * std::abs(out)) + (std::is_same_v<Out, f16> ? 0x1p-25 : 0x1p-126));
          }
        }
      }
  return result;
}

inline void judge(double got, double want, double bound, char const* what, long b, long g, long r, long i, long c) {
  auto const message = [&] { return testing::Message() << what << " at " << b << ' ' << g << ' ' << r << ' ' << i << ' ' << c << ": " << got << " for " << want << " within " << bound; };
  if (std::isnan(want)) ASSERT_TRUE(std::isnan(got)) << message();
  else if (std::isinf(want)) ASSERT_EQ(got, want) << message();
  else ASSERT_LE(std::abs(got - want), bound) << message();
}

/// A machine with warpgroups or one without, while it lives.
struct machine {
  bool const before = emulator::options.sm_90;
  explicit machine(bool sm_90) { emulator::options.sm_90 = sm_90; }
  ~machine() { emulator::options.sm_90 = before; }
  machine(machine const&) = delete;
};

template <int... HeadDims>
using only = std::integer_sequence<int, HeadDims...>;
/// In place of head dims: the kernel of sm_90 in these tiles, and no other, which compiles in a tenth of the time.
template <class Tiles>
struct in_tiles {};

template <class Empty, class HeadDims, class Problem, class Score, class Weighing, class Gain, class Also>
cudaError_t launch(HeadDims, Problem const& problem, Score const& score, Weighing const& weighing, Gain const& gain, Also const& also) {
  return cuda::attention<Empty>(nullptr, problem, score, weighing, gain, also, HeadDims{});
}
template <class Empty, class Tiles, class Problem, class Score, class Weighing, class Gain, class Also>
cudaError_t launch(in_tiles<Tiles>, Problem const& problem, Score const& score, Weighing const& weighing, Gain const& gain, Also const& also) {
  bool taken = false;
  auto const call = cuda::detail::call_of<Empty>(problem, cuda::detail::by_products(score), weighing, gain, also);
  return cuda::detail::launch_attention_sm90<Tiles>(nullptr, call, problem.batch[0] * problem.batch[1] * problem.batch[2], taken);
}

/// Runs the kernels of the head dims given, that of sm_80 and, where there is one, that of sm_90, and judges all they wrote.
template <class Empty = empty_row::zeros_t, class Out = void, class HeadDims = attention_head_dims, class T, class Score,
          class Weighing = argument<0>, class Gain = no_gain>
void check(inputs<T> const& in, Score const& score, Weighing const& weighing = {}, Gain const& gain = {}, double spread = 0,
           layout lo = layout::plain) {
  using Result = std::conditional_t<std::is_void_v<Out>, T, Out>;
  auto const& n = in.n;
  expected const want = oracle<Empty, T, Result>(in, score, weighing, gain, spread);
  for (bool sm_90 : {false, true}) {
    bool const there = half_precision<T> && half_precision<Result> && emulator::options.shared_bytes >= cuda::sm_90::shared_bytes;
    if (sm_90 ? !there : emulator::options.sm_90) continue;
    machine const of_now(sm_90);
    SCOPED_TRACE(sm_90 ? "on sm_90" : "on sm_80");
    tensor<Result> const out("out", lo, n.b, n.g, n.r, false, n.s, n.e);
    tensor<float> const sums("log-sum-exp", layout::plain, n.b, n.g, n.r, false, n.s, 1);
    attention_problem<T, Result, 3> const problem{{n.b, n.g, n.r}, n.s, n.t, n.d, n.e, in.q.template view<T const>(),
                                                  in.k.template view<T const>(), in.v.template view<T const>(),
                                                  out.template view<Result>(), in.scale, in.output_scale};
    attention_results<void, float, 3> const also{{}, sums.view<float>()};
    ASSERT_EQ(launch<Empty>(HeadDims{}, problem, score, weighing, gain, also), cudaSuccess);
    std::size_t at = 0, line = 0;
    for (long b = 0; b < n.b; ++b)
      for (long g = 0; g < n.g; ++g)
        for (long r = 0; r < n.r; ++r)
          for (long i = 0; i < n.s; ++i, ++line) {
            ASSERT_NO_FATAL_FAILURE(judge(sums.get(b, g, r, i, 0), want.sums[line], want.sums_bound[line], "log-sum-exp", b, g, r, i, 0));
            for (long c = 0; c < n.e; ++c, ++at)
              ASSERT_NO_FATAL_FAILURE(judge(out.get(b, g, r, i, c), want.out[at], want.bound[at], "out", b, g, r, i, c));
          }
  }
}

/// While it lives, the device has warpgroups, and whatever is launched has to have used them.
struct on_sm_90 {
  explicit on_sm_90(emulator::landing order = emulator::landing::late, std::uint64_t seed = 0) {
    emulator::options.sm_90 = true, emulator::options.order = order, emulator::options.seed = seed;
    emulator::counts = {};
  }
  ~on_sm_90() {
    emulator::options = {};
    EXPECT_GT(emulator::counts.warpgroup_products, 0);
    EXPECT_EQ(emulator::counts.products, 0);
  }
  on_sm_90(on_sm_90 const&) = delete;
};

} // namespace attend::emulated
