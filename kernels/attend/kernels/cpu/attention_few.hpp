// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Fused attention of few query rows against many keys, as in decoding, where reading keys and values is all the work.
// Vectors run over depth and width as keys and values lie in memory, and over keys in between; threads share the keys of
// a row, and what each found is put together by its log-sum-exp.
#pragma once
#include <attend/kernels/cpu/attention_problem.hpp>
#include <attend/kernels/cpu/attention_products.hpp>
#include <attend/kernels/cpu/attention_score.hpp>
#include <attend/kernels/cpu/attention_softmax.hpp>
#include <attend/kernels/cpu/in_parallel.hpp>
#include <attend/kernels/kept_memory.hpp>
#include <algorithm>
#include <cmath>
#include <cstring>

#ifdef __CUDACC__
#pragma nv_diagnostic push
#pragma nv_diag_suppress 1675 // its front end knows no `GCC unroll`; the host compiler behind it does
#endif

namespace attend::kernels::cpu {
inline namespace ATTEND_DETAIL_ISA {
namespace detail {

inline constexpr long few_block = 32; // keys between two rescales
inline constexpr long few_keys = 256; // of a part at least
inline constexpr long few_most = 64;  // rows that see the same keys
inline constexpr float few_slack = 5; // by which scores may exceed the maximum that weights are made with

/// Whether a problem has so few rows that vectors along them would be empty for the most part, or threads without work.
template <class T, class Out, int B>
bool has_few_rows(attention_problem<T, Out, B> const& p, key_batch<B> const& batch) {
  if (p.rows > 16 || p.rows * batch.repeats > few_most || p.keys < few_keys) return false;
  if ((p.key.column != 1 && p.depth > 1) || (p.value.column != 1 && p.width > 1)) return false;
  long const panels = batch.repeats * ((p.rows + panel_rows - 1) / panel_rows);
  return 3 * p.rows * batch.repeats < 2 * panels * panel_rows || batch.count * panels < 2 * threads();
}

/// What one part of the keys came to: for each row its maximum, its sums and its output, not yet divided.
struct few_part {
  float* sum;    // (rows, lanes)
  float* max;    // (rows)
  float* output; // (rows, width rounded up to pairs of vectors)

  static long floats(long rows, long width) { return rows * (lanes + 1 + padded(width)); }
  static long padded(long n) { return (n + 2 * lanes - 1) / (2 * lanes) * (2 * lanes); }
  few_part(float* memory, long rows) : sum(memory), max(memory + rows * lanes), output(max + rows) {}
};

// Elements come two vectors at a time, in the order that costs the least: for bf16 the even ones, then the odd ones. As
// long as queries and outputs are in the same order, nothing has to be put right in between.
inline constexpr long pair = 2 * lanes;
template <class T>
struct two_vectors {
  vec of[2];

  explicit two_vectors(T const* p) {
    if constexpr (std::is_same_v<T, bf16>) {
      machine::words const both = load_raw<machine::words>(p), even = both << 16, odd = both & 0xFFFF0000u;
      of[0] = reinterpret_cast<machine::floats>(even), of[1] = reinterpret_cast<machine::floats>(odd);
    } else of[0] = load(p), of[1] = load(p + lanes);
  }
  /// The first n < pair of them in their own order, zeros after them; nothing else is read.
  two_vectors(T const* p, int n) {
    of[0] = n < lanes ? load(p, n) : load(p), of[1] = n > lanes ? load(p + lanes, n - lanes) : vec(0.0f);
  }
};
/// Where element i of `extent` comes.
template <class T>
long place_in_pairs(long i, long extent) {
  if (!std::is_same_v<T, bf16> || i / pair * pair + pair > extent) return i;
  return i / pair * pair + i % 2 * lanes + i % pair / 2;
}

/// Asks for lines of memory in the order in which they lie, as evenly as elements are worked on. All of memory's bandwidth
/// needs more lines on their way than the nearest cache waits for.
class paced_lines {
public:
  explicit paced_lines(float lines_per_element) : rate_(lines_per_element) {}
  template <class T>
  void want(T const* first, long stride, long rows, long columns) { ahead_.want(first, stride, rows, columns); }
  void worked_on(long elements) {
    due_ += rate_ * static_cast<float>(elements);
    auto const lines = static_cast<long>(due_);
    due_ -= static_cast<float>(lines);
    ahead_.ask<cache_level::second>(lines);
  }

private:
  lines_ahead ahead_;
  float rate_, due_ = 0;
};

/// Scores of R rows of queries (depth, a multiple of a pair, apart) against lanes / R keys: row r's follow one another in
/// lanes r * lanes / R and on. Keys past `count` repeat the last.
template <int R, class T>
[[gnu::always_inline]] inline vec key_products(float const* query, T const* key, long stride, long count, long depth) {
  constexpr int K = lanes / R;
  long const apart = few_part::padded(depth);
  vec sum[lanes];
  T const* row[K];
#pragma GCC unroll 16
  for (int i = 0; i < lanes; ++i) sum[i] = vec(0.0f);
#pragma GCC unroll 16
  for (int j = 0; j < K; ++j) row[j] = key + std::min<long>(j, count - 1) * stride;
  // One row of queries reads each key to its end before the next, in the order in which memory comes fastest; several share
  // what is loaded of neighbouring keys.
  constexpr int together = R == 1 ? 1 : K;
#pragma GCC unroll 16
  for (int first = 0; first < K; first += together) {
    auto const add = [&](long d, auto... n) __attribute__((always_inline)) {
      vec k[2][together];
#pragma GCC unroll 16
      for (int j = 0; j < together; ++j) {
        two_vectors<T> const x(row[first + j] + d, n...);
        k[0][j] = x.of[0], k[1][j] = x.of[1];
      }
#pragma GCC unroll 2
      for (int half = 0; half < 2; ++half)
#pragma GCC unroll 4
        for (int r = 0; r < R; ++r) {
          vec const q = load(query + r * apart + d + half * lanes);
#pragma GCC unroll 16
          for (int j = 0; j < together; ++j) sum[r * K + first + j] = fma(q, k[half][j], sum[r * K + first + j]);
        }
    };
    long d = 0;
    for (; d + pair <= depth; d += pair) add(d);
    if (d < depth) add(d, static_cast<int>(depth - d));
  }
  return sums(sum);
}

/// output[e] = output[e] * rescale + sum over keys of weights[key] * value[key][e], for R rows and P pairs of vectors of
/// e, of which the last may be partly there.
template <int R, int P, class T>
inline void add_values(float const (*weights)[few_block], T const* value, long stride, long keys, float const* rescale,
                       long width, float* output, long apart, paced_lines& ahead) {
  vec sum[R][2 * P];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int i = 0; i < 2 * P; ++i) sum[r][i] = load(output + r * apart + i * lanes) * vec(rescale[r]);
  auto const add = [&](auto... n) __attribute__((always_inline)) {
    for (long j = 0; j < keys; ++j) {
      if (j % 4 == 0) ahead.worked_on(4 * P * pair);
      T const* const from = value + j * stride;
      vec v[2 * P];
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p) {
        two_vectors<T> const x = p == P - 1 ? two_vectors<T>(from + p * pair, n...) : two_vectors<T>(from + p * pair);
        v[2 * p] = x.of[0], v[2 * p + 1] = x.of[1];
      }
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        vec const w(weights[r][j]);
#pragma GCC unroll 8
        for (int i = 0; i < 2 * P; ++i) sum[r][i] = fma(w, v[i], sum[r][i]);
      }
    }
  };
  if (width >= P * pair) add();
  else add(static_cast<int>(width - (P - 1) * pair));
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int i = 0; i < 2 * P; ++i) store(output + r * apart + i * lanes, sum[r][i]);
}

/// scores (rows, few_block) of all rows against a block of keys.
template <class T>
[[gnu::noinline]] void few_scores(float const* query, long rows, T const* key, long stride, long keys, long depth,
                                  float (*scores)[few_block], paced_lines& ahead) {
  auto const group = [&]<int R>(std::integral_constant<int, R>, long first) __attribute__((always_inline)) {
    constexpr int K = lanes / R;
    for (long j = 0; j < keys; j += K) {
      ahead.worked_on(K * depth);
      alignas(64) float found[lanes];
      store(found, key_products<R>(query + first * few_part::padded(depth), key + j * stride, stride, keys - j, depth));
      for (int r = 0; r < R; ++r) std::memcpy(scores[first + r] + j, found + r * K, K * sizeof(float));
    }
  };
  long r = 0;
  for (; r + 4 <= rows; r += 4) group(std::integral_constant<int, 4>{}, r);
  for (; r < rows; ++r) group(std::integral_constant<int, 1>{}, r);
}

/// output (rows, width) = output * rescale + weights (rows, keys) times value (keys, width).
template <class T>
[[gnu::noinline]] void few_outputs(float const (*weights)[few_block], float const* rescale, long rows, T const* value, long stride,
                                   long keys, long width, float* output, paced_lines& ahead) {
  long const apart = few_part::padded(width);
  auto const group = [&]<int R>(std::integral_constant<int, R>, long r) {
    long e = 0;
    constexpr int P = R == 1 ? 4 : lanes == 16 ? 2 : 1; // as the registers allow
    if constexpr (P > 1)
      for (; e + P * pair <= apart; e += P * pair)
        add_values<R, P>(weights + r, value + e, stride, keys, rescale + r, width - e, output + r * apart + e, apart, ahead);
    for (; e < apart; e += pair)
      add_values<R, 1>(weights + r, value + e, stride, keys, rescale + r, width - e, output + r * apart + e, apart, ahead);
  };
  long r = 0;
  for (; r + 4 <= rows; r += 4) group(std::integral_constant<int, 4>{}, r);
  for (; r < rows; ++r) group(std::integral_constant<int, 1>{}, r);
}

/// The functor on a row's scores against `keys` keys from `first` on.
template <int B, class F>
[[gnu::noinline]] void apply_along_keys(F const& f, row_range<B> const& row, long first, long keys, float* scores) {
  if constexpr (!std::is_same_v<F, argument<0>>) {
    lane_axis<B + 1, B + 2> at{};
    for (int i = 0; i < B; ++i) at.at[i] = row.batch[i];
    at.at[B] = row.first;
    for (long j = 0; j < keys; j += lanes) {
      at.at[B + 1] = first + j;
      at.count = static_cast<int>(std::min<long>(keys - j, lanes));
      store(scores + j, kernels::detail::as_number<vec>(value<vec>(f, at, load(scores + j))));
    }
  }
}

/// Scores of a block become weights; the row's maximum, which may stay behind, and its sums, one a lane, take them in. What
/// the output so far is then worth.
template <class Empty>
[[gnu::noinline]] inline float weights_of_row(float* scores, long keys, float& max, float* sum) {
  if constexpr (std::is_void_v<Empty>) return 1;
  else {
    constexpr int N = few_block / lanes;
    std::fill(scores + keys, scores + few_block, -__builtin_inff());
    vec x[N], total(0.0f);
    mask higher(false);
    for (int i = 0; i < N; ++i) x[i] = load(scores + i * lanes), higher = higher || x[i] > vec(max + few_slack);
    float now = max;
    if (any(higher))
      for (vec const& y : x)
        for (int i = 0; i < lanes; ++i) now = y[i] > now ? y[i] : now;
    float const m = now == -__builtin_inff() ? 0.0f : now;
    vec change[1] = {vec(max - m)};
    exp_negative<false>(change);
    for (vec& y : x) y = y - vec(m);
    exp_negative<false>(x);
    for (int i = 0; i < N; ++i) {
      store(scores + i * lanes, x[i]);
      total = total + x[i];
    }
    max = now;
    store(sum, fma(load(sum), change[0], total));
    return change[0][0];
  }
}

/// One part of the keys and few rows at one position of the batch, `at_row(i)` being the i-th.
template <class Empty, class T, class Out, int B, class Score, class Weighing, class Rows>
class attending_few {
  attention_problem<T, Out, B> const& p_;
  Score const& score_;
  Weighing const& weighing_;
  Rows const& at_row_;
  float* const query_;
  few_part const& part_;
  matrix_slice<T const> const key_, value_;
  long const width_ = few_part::padded(p_.width);

  void step(long rows, long block, long keys, paced_lines& ahead) {
    bool some = false;
    for (long r = 0; r < rows; ++r) some = some || kept_of<Empty>(score_, at_row_(r), block, block + keys) != tile::none;
    if (!some) return;
    alignas(64) float scores[few_most][few_block];
    float rescale[few_most];
    few_scores(query_, rows, key_.data + block * key_.row, key_.row, keys, p_.depth, scores, ahead);
    for (long r = 0; r < rows; ++r) {
      row_range<B> const row = at_row_(r);
      apply_along_keys(score_, row, block, keys, scores[r]);
      rescale[r] = weights_of_row<Empty>(scores[r], keys, part_.max[r], part_.sum + r * lanes);
      apply_along_keys(weighing_, row, block, keys, scores[r]);
    }
    few_outputs(scores, rescale, rows, value_.data + block * value_.row, value_.row, keys, p_.width, part_.output, ahead);
  }

public:
  attending_few(attention_problem<T, Out, B> const& p, Score const& score, Weighing const& weighing, Rows const& at_row, float* query,
                few_part const& part)
      : p_(p), score_(score), weighing_(weighing), at_row_(at_row), query_(query), part_(part),
        key_(slice_at(p.key, at_row(0).batch)), value_(slice_at(p.value, at_row(0).batch)) {}

  void operator()(long rows, long first, long end) {
    long const depth = few_part::padded(p_.depth);
    for (long r = 0; r < rows; ++r) {
      row_range<B> const row = at_row_(r);
      auto const q = slice_at(p_.query, row.batch);
      std::fill_n(query_ + r * depth, depth, 0.0f);
      for (long d = 0; d < p_.depth; ++d)
        query_[r * depth + place_in_pairs<T>(d, p_.depth)] =
            load_number<float>(q.data[row.first * q.row + d * q.column]) * static_cast<float>(p_.scale);
    }
    std::fill_n(part_.max, rows, -__builtin_inff());
    std::fill_n(part_.sum, rows * lanes, 0.0f);
    std::fill_n(part_.output, rows * width_, 0.0f);
    // The next block is asked for evenly over the passes on this one, so that reading never waits for computing.
    long const groups = rows / 4 + rows % 4, lines = ((p_.depth + p_.width) * static_cast<long>(sizeof(T)) + 63) / 64;
    float const rate = static_cast<float>(lines) / static_cast<float>(std::max(groups * (p_.depth + width_), 1l));
    for (long block = first; block < end; block += few_block) {
      long const keys = std::min(few_block, end - block), next = std::min(few_block, end - block - keys);
      paced_lines ahead(rate);
      ahead.want(value_.data + (block + keys) * value_.row, value_.row, next, p_.width);
      ahead.want(key_.data + (block + keys) * key_.row, key_.row, next, p_.depth);
      step(rows, block, keys, ahead);
    }
  }
};

/// One row's results from its parts, number i's of which is parts(i).
template <class Empty, class T, class Out, int B, class Weighing, class Gain, class Sum, class Parts>
[[gnu::cold]] void finish_few(attention_problem<T, Out, B> const& p, Weighing const& weighing, Gain const& gain, matrix<Sum, B> const& sums,
                              row_range<B> const& row, long r, long count, Parts const& parts) {
  long const width = few_part::padded(p.width);
  float* const output = parts(0).output + r * width;
  float max = 0, sum = 1, factor = static_cast<float>(p.output_scale);
  if constexpr (!std::is_void_v<Empty>) {
    max = -__builtin_inff(), sum = 0;
    for (long i = 0; i < count; ++i) max = parts(i).max[r] > max ? parts(i).max[r] : max;
  }
  for (long i = 0; i < count; ++i) {
    few_part const part = parts(i);
    vec share[1] = {vec(0.0f)};
    if constexpr (!std::is_void_v<Empty>) {
      share[0] = vec(max == -__builtin_inff() ? 0.0f : part.max[r] - max);
      exp_negative<false>(share);
      for (int lane = 0; lane < lanes; ++lane) sum += part.sum[r * lanes + lane] * share[0][0];
    } else share[0] = vec(1.0f);
    for (long e = 0; e < width; e += lanes) {
      vec const x = load(part.output + r * width + e) * share[0];
      store(output + e, i == 0 ? x : load(output + e) + x);
    }
  }
  float const total = max + std::log(sum);
  if constexpr (!std::is_void_v<Empty>) {
    if (!std::is_same_v<Weighing, argument<0>> && sum != sum)
      output_of_alike(p, weighing, row.batch, row.first, alike<Empty>(sum, p.keys),
                      [&](long e) -> float& { return output[place_in_pairs<T>(e, p.width)]; });
    else factor /= sum == 0 ? 1.0f : sum; // nothing kept: an output of zeros
  }
  if constexpr (!std::is_void_v<Sum>) {
    auto const to = slice_at(sums, row.batch);
    to.data[row.first * to.row] = store_number<Sum>(total);
  }
  if constexpr (!std::is_same_v<Gain, no_gain>) {
    point<B + 2> at{};
    for (int i = 0; i < B; ++i) at.at[i] = row.batch[i];
    at.at[B] = row.first;
    factor *= kernels::detail::as_number<float>(kernels::value<float>(gain, at, total));
  }
  auto const out = slice_at(p.out, row.batch);
  for (long e = 0; e < p.width; ++e) out.data[row.first * out.row + e * out.column] = store_number<Out>(output[place_in_pairs<T>(e, p.width)] * factor);
}

using few_memory = kept_memory<struct parts_of_few_rows>;

/// The whole problem, whose rows are few.
template <class Empty, class T, class Out, int B, class Score, class Weighing, class Gain, class Sum>
[[gnu::cold]] void attention_few(attention_problem<T, Out, B> const& p, key_batch<B> const& batch, Score const& score, Weighing const& weighing,
                   Gain const& gain, matrix<Sum, B> const& sums) {
  long const rows = p.rows * batch.repeats, batches = batch.count;
  long const wanted = std::clamp<long>(p.keys / few_keys, 1, (4 * threads() + batches - 1) / batches);
  long const blocks = std::max((p.keys + few_block - 1) / few_block, 1l); // without keys one part, of nothing
  long const each = (blocks + wanted - 1) / wanted * few_block, parts = std::max((p.keys + each - 1) / each, 1l);
  long const part_floats = few_part::padded(few_part::floats(rows, p.width)), floats = part_floats + rows * few_part::padded(p.depth);
  few_memory const kept(batches * parts * floats * static_cast<long>(sizeof(float)));
  float* const memory = reinterpret_cast<float*>(kept.data());
  auto const rows_at = [&](long item) {
    return [&, position = position_of(batch.extent, item)](long i) {
      row_range<B> row{{}, i % p.rows, 1};
      for (int a = 0; a < B; ++a) row.batch[a] = a == batch.axis ? i / p.rows : position[static_cast<std::size_t>(a)];
      return row;
    };
  };
  in_parallel(batches * parts, [&](long i) {
    float* const mine = memory + i * floats;
    long const first = i % parts * each;
    auto const at_row = rows_at(i / parts);
    few_part const part(mine, rows);
    attending_few<Empty, T, Out, B, Score, Weighing, std::remove_const_t<decltype(at_row)>>{p, score, weighing, at_row, mine + part_floats, part}(
        rows, first, std::min(first + each, p.keys));
  });
  for (long i = 0; i < batches; ++i)
    for (long r = 0; r < rows; ++r)
      finish_few<Empty>(p, weighing, gain, sums, rows_at(i)(r), r, parts, [&](long part) { return few_part(memory + (i * parts + part) * floats, rows); });
}

} // namespace detail
} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cpu

#ifdef __CUDACC__
#pragma nv_diagnostic pop
#endif
