// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The two matrix products of the fused attention on one panel where the machine multiplies pairs of bf16 (AVX512-BF16)
// or tiles of them (AMX). Both are rows times a panel: keys as they lie against queries, and values, turned so that
// their columns are rows, against weights. What is summed over comes in pairs, which share a word.
#pragma once
#include <attend/kernels/isa.hpp>

#ifdef ATTEND_DETAIL_BF16_PAIRS
#include <attend/kernels/cpu/attention_problem.hpp>
#include <attend/kernels/cpu/attention_softmax.hpp>
#include <attend/kernels/cpu/lane_axis.hpp>
#include <attend/kernels/cpu/matrix_tiles.hpp>
#include <algorithm>
#include <cstring>

namespace attend::kernels::cpu {
inline namespace ATTEND_DETAIL_ISA {
namespace detail {

using pairs = machine::words; // a pair for each lane, the first of both in its low half

constexpr long up_to(long multiple, long n) { return (n + multiple - 1) / multiple * multiple; }
inline pairs pairs_of(vec first, vec second) { // of numbers that are bf16 already
  return reinterpret_cast<pairs>(first.raw) >> 16 | (reinterpret_cast<pairs>(second.raw) & 0xFFFF0000u);
}
template <class T>
void store(T* to, pairs x) { // into words or single bf16
  std::memcpy(static_cast<void*>(to), &x, sizeof x);
}
/// to[k]: column k of a square of pairs whose rows are so many bytes apart.
[[gnu::always_inline]] inline void load_transposed(void const* from, long bytes, pairs* to) {
  machine::floats columns[lanes]; // copied: words that are read through a pointer to floats are undefined
  machine::load_transposed(from, bytes, columns);
#pragma GCC unroll 16
  for (int i = 0; i < lanes; ++i) to[i] = reinterpret_cast<pairs>(columns[i]);
}

/// panel (depth / 2, panel_rows) = pairs along the depth of `count` <= panel_rows rows times `sign`, which is a number that
/// needs no rounding (1, -1, 0, an infinity or NaN); zeros up to whole tiles and where there is no row.
inline void load_queries(matrix_slice<bf16 const> const& query, long first, long count, long depth, float sign, std::uint32_t* panel) {
  std::uint32_t const signs = sign == -1 ? 0x80008000u : 0;
  bool const simple = sign * sign == 1 && query.column == 1;
  for (int v = 0; v < tuning.vectors; ++v) {
    int const n = static_cast<int>(std::clamp<long>(count - v * lanes, 0, lanes));
    bf16 const* const corner = query.data + (n > 0 ? (first + v * lanes) * query.row : 0);
    auto const column = [&](long d) { return n > 0 && d < depth ? load_lanes(corner + d * query.column, query.row, n) * sign : vec(0.0f); };
    for (long d = 0; d < up_to(tile_depth, depth); d += 2 * lanes) {
      pairs square[lanes];
      if (simple && n == lanes && d + 2 * lanes <= depth) {
        load_transposed(corner + d, query.row * static_cast<long>(sizeof(bf16)), square);
#pragma GCC unroll 16
        for (int k = 0; k < lanes; ++k) square[k] ^= signs;
      } else
        for (int k = 0; k < lanes; ++k) square[k] = pairs_of(column(d + 2 * k), column(d + 2 * k + 1));
#pragma GCC unroll 16
      for (int k = 0; k < lanes; ++k) store(panel + (d / 2 + k) * panel_rows + v * lanes, square[k]);
    }
  }
}

/// Rows `first` ... `first + rows` of keys: as they lie if products can read them there, else in `buffer` with zeros up to
/// whole tiles.
inline bf16_rows load_keys(matrix_slice<bf16 const> const& key, long first, long rows, long depth, bf16* buffer) {
  bf16 const* const corner = key.data + first * key.row;
  bool const whole = has_matrix_tiles() ? depth % tile_depth == 0 && rows % tile_rows == 0 : depth % 2 == 0;
  if (key.column == 1 && whole) return {corner, key.row};
  long const wide = up_to(tile_depth, depth);
  std::memset(static_cast<void*>(buffer), 0, static_cast<std::size_t>(up_to(tile_rows, rows) * wide) * sizeof(bf16));
  if (key.column == 1)
    for (long i = 0; i < rows; ++i) std::memcpy(static_cast<void*>(buffer + i * wide), corner + i * key.row, static_cast<std::size_t>(depth) * sizeof(bf16));
  else
    for (long d = 0; d < depth; ++d)
      for (long i = 0; i < rows; ++i) buffer[i * wide + d] = corner[i * key.row + d * key.column];
  return {buffer, wide};
}

/// Column e of a square of pairs becomes row e of `to`, tuning_bf16.key_block long.
template <class Place>
[[gnu::always_inline]] inline void store_columns(std::uint32_t const* from, long row, bf16* to, Place const& place) {
  pairs column[lanes];
  load_transposed(from, row * static_cast<long>(sizeof *from), column);
#pragma GCC unroll 16
  for (int e = 0; e < lanes; ++e) store(to + place(e) * tuning_bf16.key_block, column[e]);
}
/// Values turned: row e of `buffer`, tuning_bf16.key_block long, is column e of `rows` rows from `first` on; zeros up to whole
/// tiles.
inline bf16_rows load_values(matrix_slice<bf16 const> const& value, long first, long rows, long width, bf16* buffer) {
  bf16 const* const corner = value.data + first * value.row;
  alignas(64) std::uint32_t turned[2 * lanes * lanes]; // pairs along the rows
  for (long t = 0; t < up_to(tile_depth, rows); t += 2 * lanes)
    for (long e = 0; e < up_to(tile_rows, width);) {
      bool const whole = t + 2 * lanes <= rows && value.column == 1;
      if (whole && e > 0 && e + lanes == width) e -= lanes; // so that the last are two squares too, one of them again
      bf16 const* const here = corner + t * value.row + e * value.column;
      if (whole && e + 2 * lanes <= width) { // two squares at once; neighbouring fours take turns between them
#pragma GCC unroll 16
        for (int k = 0; k < lanes; ++k) {
          auto const both = machine::in_turns(load_raw<pairs>(here + 2 * k * value.row), load_raw<pairs>(here + (2 * k + 1) * value.row));
          store(turned + 2 * k * lanes, both.first);
          store(turned + (2 * k + 1) * lanes, both.second);
        }
        for (int half = 0; half < 2; ++half)
          store_columns(turned + half * lanes, 2 * lanes, buffer + e * tuning_bf16.key_block + t, [&](int i) { return i / 4 * 8 + i % 4 + 4 * half; });
        e += 2 * lanes;
        continue;
      }
      int const n = static_cast<int>(std::clamp<long>(width - e, 0, lanes));
      auto const row = [&](int i) { return t + i < rows ? load_lanes(here + i * value.row, value.column, n) : vec(0.0f); };
      for (int k = 0; k < lanes; ++k) store(turned + k * lanes, pairs_of(row(2 * k), row(2 * k + 1)));
      store_columns(turned, lanes, buffer + e * tuning_bf16.key_block + t, [](int i) { return i; });
      e += lanes;
    }
  return {buffer, tuning_bf16.key_block};
}

/// out(j, v, sum) for the first `count` of `Rows` rows, sum being their product with vector v of the panel.
template <int Rows, class Out>
[[gnu::always_inline]] inline void pair_group(std::uint32_t const* panel, long depth, bf16_rows x, long count, Out const& out) {
  constexpr int V = tuning.vectors;
  bf16 const* row[Rows];
  vec sum[Rows][V];
#pragma GCC unroll 8
  for (int j = 0; j < Rows; ++j) {
    row[j] = x.data + (j < count ? j : count - 1) * x.row; // rows past the end repeat the last, and are not kept
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) sum[j][v] = vec(0.0f);
  }
#pragma GCC unroll 4
  for (long d = 0; d < depth; d += 2) {
    pairs q[V];
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) q[v] = load_raw<pairs>(panel + d / 2 * panel_rows + v * lanes);
#pragma GCC unroll 8
    for (int j = 0; j < Rows; ++j) {
      pairs const k = pairs{} + load_raw<std::uint32_t>(row[j] + d);
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) sum[j][v] = machine::add_products(q[v], k, sum[j][v].raw);
    }
  }
#pragma GCC unroll 8
  for (int j = 0; j < Rows; ++j) {
    if (j == count) break;
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) out(j, v, sum[j][v]);
  }
}

/// out(i, v, sum) for every row of x, of which `depth` elements are summed over.
template <class Out>
void pair_products(std::uint32_t const* panel, long depth, bf16_rows x, long rows, Out const& out, lines_ahead& ahead) {
  constexpr int most = tuning.group, some = 4;
  for (long i = 0; i < rows;) {
    bf16_rows const here{x.data + i * x.row, x.row};
    long const left = rows - i;
    ahead.ask(tuning.lines);
    auto const each = [&](int j, int v, vec sum) __attribute__((always_inline)) { out(i + j, v, sum); };
    if (left >= most && left != most + 2) pair_group<most>(panel, depth, here, most, each), i += most;
    else if (left == most - 1) pair_group<most>(panel, depth, here, left, each), i += most;
    else pair_group<some>(panel, depth, here, std::min<long>(left, some), each), i += some;
  }
}

/// largest = the larger of itself and all of scores (keys, panel_rows), a NaN left out.
inline void take_largest(float const* scores, long keys, vec (&largest)[tuning.vectors]) {
  constexpr int V = tuning.vectors, together = 2; // chains of a row: waiting for one would take longer than reading
  vec m[together][V];
#pragma GCC unroll 8
  for (int i = 0; i < together * V; ++i) m[i / V][i % V] = largest[i % V];
  long j = 0;
  for (; j + together <= keys; j += together)
#pragma GCC unroll 8
    for (int i = 0; i < together * V; ++i) m[i / V][i % V] = max_second(load(scores + j * panel_rows + i * lanes), m[i / V][i % V]);
  if (j < keys)
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) m[0][v] = max_second(load(scores + j * panel_rows + v * lanes), m[0][v]);
#pragma GCC unroll 8
  for (int v = 0; v < V; ++v) largest[v] = max_second(m[0][v], m[1][v]);
}
/// output (width, panel_rows) = output * rescale.
inline void multiply_rows(vec const (&rescale)[tuning.vectors], long width, float* output) {
  constexpr int V = tuning.vectors;
  vec factor[V];
#pragma GCC unroll 8
  for (int v = 0; v < V; ++v) factor[v] = rescale[v];
  for (long e = 0; e < width; ++e, output += panel_rows)
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) kernels::cpu::store(output + v * lanes, load(output + v * lanes) * factor[v]);
}

/// scores (keys, panel_rows) = key (keys, depth) times query (depth / 2, panel_rows); `largest` of each row over the keys,
/// a NaN left out: it comes back as the weight's. Rows of scores up to whole tiles are written.
inline void score_products(std::uint32_t const* query, long depth, bf16_rows key, long keys, float* scores,
                           vec (&largest)[tuning.vectors], lines_ahead& ahead) {
  constexpr int V = tuning.vectors;
  vec m[V];
#pragma GCC unroll 8
  for (int v = 0; v < V; ++v) m[v] = vec(-__builtin_inff());
#ifdef ATTEND_DETAIL_MATRIX_TILES
  if (has_matrix_tiles())
    tile_products(query, depth, key, up_to(tile_rows, keys), scores, false, [&](long first, long rows) __attribute__((always_inline)) {
      ahead.ask(tuning.lines);
      take_largest(scores + first * panel_rows, std::min(rows, keys - first), m);
    });
  else
#endif
    pair_products(query, depth, key, keys, [&](long j, int v, vec sum) __attribute__((always_inline)) {
      kernels::cpu::store(scores + j * panel_rows + v * lanes, sum);
      m[v] = max_second(sum, m[v]);
    }, ahead);
  for (int v = 0; v < V; ++v) largest[v] = m[v];
}

/// output (width, panel_rows) = output * rescale + value (width, keys) times weights (keys / 2, panel_rows), the first term
/// left out where output is `fresh`. Output has room for whole tiles of width.
inline void output_products(std::uint32_t const* weights, long keys, bf16_rows value, long width,
                            vec const (&rescale)[tuning.vectors], float* output, bool fresh, lines_ahead& ahead) {
#ifdef ATTEND_DETAIL_MATRIX_TILES
  if (has_matrix_tiles()) {
    mask changed(false);
    for (vec const& r : rescale) changed = changed || r != vec(1.0f);
    if (!fresh && any(changed)) multiply_rows(rescale, width, output);
    return tile_products(weights, keys, value, up_to(tile_rows, width), output, !fresh, [&](long, long) { ahead.ask(tuning.lines); });
  }
#endif
  pair_products(weights, keys, value, width, [&](long e, int v, vec sum) __attribute__((always_inline)) {
    float* const to = output + e * panel_rows + v * lanes;
    kernels::cpu::store(to, fresh ? sum : fma(load(to), rescale[v], sum));
  }, ahead);
}

/// weights (keys / 2, panel_rows) = exp(factor * score - m) in pairs along the keys, zeros up to whole tiles; `total`: their
/// sums before they are rounded.
inline void rounded_exponentials(float const* scores, vec factor, long keys, vec const (&m)[tuning.vectors], vec (&total)[tuning.vectors],
                         std::uint32_t* weights) {
  constexpr int V = tuning.vectors, together = 2; // vectors of a row: with a pair of rows four chains
  static_assert(V % together == 0);
  [[maybe_unused]] without_denormals<> const fast;
  vec sum[V];
#pragma GCC unroll 8
  for (int v = 0; v < V; ++v) sum[v] = vec(0.0f);
  auto const both = [&](long j, bool second) __attribute__((always_inline)) {
#pragma GCC unroll 4
    for (int v = 0; v < V; v += together) {
      vec x[2 * together];
#pragma GCC unroll 4
      for (int i = 0; i < together; ++i) {
        float const* const here = scores + j * panel_rows + (v + i) * lanes;
        x[i] = fma(load(here), factor, -m[v + i]);
        x[together + i] = second ? fma(load(here + panel_rows), factor, -m[v + i]) : vec(-__builtin_inff());
      }
      exp_negative<true>(x);
#pragma GCC unroll 4
      for (int i = 0; i < together; ++i) {
        sum[v + i] = sum[v + i] + x[i] + x[together + i];
        store(weights + j / 2 * panel_rows + (v + i) * lanes, machine::to_pairs(x[i].raw, x[together + i].raw));
      }
    }
  };
  long j = 0;
  for (; j + 2 <= keys; j += 2) both(j, true);
  if (j < keys) both(j, false), j += 2;
  std::fill_n(weights + j / 2 * panel_rows, (up_to(tile_depth, j) - j) / 2 * panel_rows, 0u);
#pragma GCC unroll 8
  for (int v = 0; v < V; ++v) total[v] = sum[v];
}
/// The same of weights that are there already, as floats (keys, panel_rows).
inline void round_weights(float const* from, long keys, std::uint32_t* weights) {
  for (long j = 0; j < keys; j += 2)
    for (int v = 0; v < tuning.vectors; ++v) {
      float const* const here = from + j * panel_rows + v * lanes;
      vec const second = j + 1 < keys ? load(here + panel_rows) : vec(0.0f);
      store(weights + j / 2 * panel_rows + v * lanes, machine::to_pairs(load(here).raw, second.raw));
    }
  long const written = up_to(2, keys);
  std::fill_n(weights + written / 2 * panel_rows, (up_to(tile_depth, keys) - written) / 2 * panel_rows, 0u);
}

} // namespace detail
} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cpu
#endif
