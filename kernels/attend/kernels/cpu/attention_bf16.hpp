// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The two matrix products of the fused attention on one panel where the machine multiplies pairs of bf16 (AVX512-BF16)
// or tiles of them (AMX). Both are rows times a panel: keys as they lie against queries, and columns of values against
// weights. What is summed over comes in pairs, which share a word.
#pragma once
#include <attend/kernels/isa.hpp>

#ifdef ATTEND_DETAIL_BF16_PAIRS
#include <attend/kernels/cpu/attention_problem.hpp>
#include <attend/kernels/cpu/attention_products.hpp> // sums start from zero alike
#include <attend/kernels/cpu/attention_softmax.hpp>
#include <attend/kernels/cpu/kept_keys.hpp>
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

/// Pairs of neighbouring values: word e of row t / 2 of `buffer` has column e of rows t and t + 1 of `rows` from `first` on;
/// zeros where there is no row, and up to whole vectors.
inline bf16_rows load_pairs_of_values(matrix_slice<bf16 const> const& value, long first, long rows, long width, bf16* buffer) {
  long const row = 2 * up_to(lanes, width);
  for (long t = 0; t < rows; t += 2) {
    bf16 const *const here = value.data + (first + t) * value.row, *const below = here + value.row;
    bf16* const to = buffer + t / 2 * row;
    bool const both = t + 1 < rows;
    long e = 0;
    if (both && value.column == 1)
      for (; e + 2 * lanes <= width; e += 2 * lanes) {
        auto const words = machine::in_order(load_raw<pairs>(here + e), load_raw<pairs>(below + e));
        store(to + 2 * e, words.first);
        store(to + 2 * (e + lanes), words.second);
      }
    for (; e < width; e += lanes) {
      int const n = static_cast<int>(std::min<long>(width - e, lanes));
      vec const second = both ? load_lanes(below + e * value.column, value.column, n) : vec(0.0f);
      store(to + 2 * e, pairs_of(load_lanes(here + e * value.column, value.column, n), second));
    }
  }
  return {buffer, row};
}

#ifdef ATTEND_DETAIL_MATRIX_TILES
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
inline bf16_rows load_turned_values(matrix_slice<bf16 const> const& value, long first, long rows, long width, bf16* buffer) {
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
#endif

/// Values as the products read them: turned for tiles, else as pairs.
inline bf16_rows load_values(matrix_slice<bf16 const> const& value, long first, long rows, long width, bf16* buffer) {
#ifdef ATTEND_DETAIL_MATRIX_TILES
  if (has_matrix_tiles()) return load_turned_values(value, first, rows, width, buffer);
#endif
  return load_pairs_of_values(value, first, rows, width, buffer);
}
/// The same from an even one on.
inline bf16_rows values_from(bf16_rows value, long i) { return {value.data + (has_matrix_tiles() ? i : i / 2 * value.row), value.row}; }

/// sum[j][First ...] += V vectors of pairs times the pair at word(j), spread over the lanes.
template <int Rows, int First, int V, int Sums, class Word>
[[gnu::always_inline]] inline void add_pairs(std::uint32_t const* panel, Word const& word, vec (&sum)[Rows][Sums]) {
  pairs q[V];
#pragma GCC unroll 8
  for (int v = 0; v < V; ++v) q[v] = load_raw<pairs>(panel + v * lanes);
#pragma GCC unroll 8
  for (int j = 0; j < Rows; ++j) {
    pairs const k = pairs{} + load_raw<std::uint32_t>(word(j));
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) sum[j][First + v] = machine::add_products(q[v], k, sum[j][First + v].raw);
  }
}

/// step(i) for i in [0, n): four at a time if it is on V vectors, all of a panel.
template <int V, class Step>
[[gnu::always_inline]] inline void by_fours(long n, Step const& step) {
  if constexpr (V == tuning.vectors)
#pragma GCC unroll 4
    for (long i = 0; i < n; ++i) step(i);
  else
    for (long i = 0; i < n; ++i) step(i);
}

/// group.operator()<Rows>(i, count) for neighbouring rows of a product: `count` from row i on, computed like `Rows`.
template <class Group>
[[gnu::always_inline]] inline void in_row_groups(long rows, lines_ahead& ahead, Group const& group) {
  constexpr int most = tuning.group, some = 4;
  for (long i = 0; i < rows;) {
    long const left = rows - i;
    ahead.ask(tuning.lines);
    if (left >= most && left != most + 2) group.template operator()<most>(i, most), i += most;
    else if (left == most - 1) group.template operator()<most>(i, left), i += most;
    else group.template operator()<some>(i, std::min<long>(left, some)), i += some;
  }
}

/// scores (keys, panel_rows) = key times V vectors of the query; `largest` takes in those of each row.
template <int V>
[[gnu::noinline]] inline void pair_scores(std::uint32_t const* query, long depth, bf16_rows key, long keys, float* scores, vec* largest, lines_ahead& ahead) {
  vec m[V];
#pragma GCC unroll 8
  for (int v = 0; v < V; ++v) m[v] = largest[v];
  in_row_groups(keys, ahead, [&]<int Rows>(long i, long count) __attribute__((always_inline)) {
    vec sum[Rows][V];
    set_to_zero(sum);
    bf16 const* row[Rows];
#pragma GCC unroll 8
    for (int j = 0; j < Rows; ++j) row[j] = key.data + (i + (j < count ? j : count - 1)) * key.row; // past the end the last again
    by_fours<V>((depth + 1) / 2, [&](long d) __attribute__((always_inline)) {
      add_pairs<Rows, 0, V>(query + d * panel_rows, [&](int j) __attribute__((always_inline)) { return row[j] + 2 * d; }, sum);
    });
#pragma GCC unroll 8
    for (int j = 0; j < Rows; ++j) {
      if (j == count) break;
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) {
        kernels::cpu::store(scores + (i + j) * panel_rows + v * lanes, sum[j][v]);
        m[v] = max_second(sum[j][v], m[v]);
      }
    }
  });
#pragma GCC unroll 8
  for (int v = 0; v < V; ++v) largest[v] = m[v];
}

/// output (width, panel_rows) = output * rescale + pairs of values times weights (keys / 2, panel_rows), which are zero outside
/// of each run's vectors; the first term left out where output is `fresh`.
inline void pair_outputs(std::uint32_t const* weights, kept_keys const& keys, bf16_rows value, long width,
                         vec const (&rescale)[tuning.vectors], float* output, bool fresh, lines_ahead& ahead) {
  constexpr int V = tuning.vectors;
  in_row_groups(width, ahead, [&]<int Rows>(long i, long count) __attribute__((always_inline)) {
    vec sum[Rows][V];
    set_to_zero(sum);
    for (key_run const& run : keys) // each but the last an even number
      with_vectors(run.vectors, [&]<int First, int Count>() __attribute__((always_inline)) {
        long const before = (run.first - keys.first()) / 2, count_of_pairs = (run.count + 1) / 2;
        bf16 const* row = value.data + before * value.row + 2 * i;
        std::uint32_t const* weight = weights + before * panel_rows + First * lanes;
        by_fours<Count>(count_of_pairs, [&](long) __attribute__((always_inline)) {
          add_pairs<Rows, First, Count>(weight, [&](int j) __attribute__((always_inline)) { return row + 2 * j; }, sum);
          row += value.row, weight += panel_rows;
        });
      });
#pragma GCC unroll 8
    for (int j = 0; j < Rows; ++j) {
      if (j == count) break;
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) {
        float* const to = output + (i + j) * panel_rows + v * lanes;
        kernels::cpu::store(to, fresh ? sum[j][v] : fma(load(to), rescale[v], sum[j][v]));
      }
    }
  });
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

/// scores (keys, panel_rows) = key (keys, depth) times query (depth / 2, panel_rows) in some vectors; `largest` of each of
/// their rows over the keys, a NaN left out: it comes back as the weight's. Tiles make all vectors, and rows of scores up
/// to whole tiles.
inline void score_products(std::uint32_t const* query, long depth, bf16_rows key, long keys, vector_range vectors, float* scores,
                           vec (&largest)[tuning.vectors], lines_ahead& ahead) {
#ifdef ATTEND_DETAIL_MATRIX_TILES
  if (has_matrix_tiles()) {
    constexpr int V = tuning.vectors;
    vec m[V];
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) m[v] = vec(-__builtin_inff());
    tile_products(query, depth, key, up_to(tile_rows, keys), scores, false, [&](long first, long rows) __attribute__((always_inline)) {
      ahead.ask(tuning.lines);
      take_largest(scores + first * panel_rows, std::min(rows, keys - first), m);
    });
    for (int v = 0; v < V; ++v) largest[v] = m[v];
    return;
  }
#endif
  for (vec& m : largest) m = vec(-__builtin_inff());
  long const before = vectors.first * lanes;
  with_count(vectors, [&]<int Count>() { pair_scores<Count>(query + before, depth, key, keys, scores + before, largest + vectors.first, ahead); });
}

/// output (width, panel_rows) = output * rescale + values times weights (keys / 2, panel_rows), which are zero outside of each run's vectors; the first term left out where output is `fresh`. Output has room for whole tiles of width.
inline void output_products(std::uint32_t const* weights, kept_keys const& keys, bf16_rows value, long width,
                            vec const (&rescale)[tuning.vectors], float* output, bool fresh, lines_ahead& ahead) {
#ifdef ATTEND_DETAIL_MATRIX_TILES
  if (has_matrix_tiles()) {
    mask changed(false);
    for (vec const& r : rescale) changed = changed || r != vec(1.0f);
    if (!fresh && any(changed)) multiply_rows(rescale, width, output);
    return tile_products(weights, keys.count(), value, up_to(tile_rows, width), output, !fresh, [&](long, long) { ahead.ask(tuning.lines); });
  }
#endif
  pair_outputs(weights, keys, value, width, rescale, output, fresh, ahead);
}

/// weights (keys / 2, panel_rows) = exp(factor * score - m) of V vectors of `keys` rows in pairs along the keys; `total` takes
/// in their sums before they are rounded.
template <int V>
[[gnu::noinline]] inline void rounded_exponentials_of_run(float const* scores, vec factor, long keys, vec const* m, vec* total, std::uint32_t* weights) {
  constexpr int together = V % 2 == 0 ? 2 : 1; // vectors of a row: with a pair of rows four chains
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
  if (j < keys) both(j, false);
#pragma GCC unroll 8
  for (int v = 0; v < V; ++v) total[v] = total[v] + sum[v];
}
/// The same of all runs, and zeros outside of their vectors and up to whole tiles of keys; `total`: the sums.
inline void rounded_exponentials(float const* scores, vec factor, kept_keys const& keys, vec const (&m)[tuning.vectors], vec (&total)[tuning.vectors],
                                 std::uint32_t* weights) {
  [[maybe_unused]] without_denormals<> const fast;
  for (vec& t : total) t = vec(0.0f);
  for (key_run const& run : keys) {
    long const from = run.first - keys.first(); // even
    int const first = run.vectors.first;
    std::uint32_t* const to = weights + from / 2 * panel_rows;
    with_count(run.vectors, [&]<int V>() {
      rounded_exponentials_of_run<V>(scores + from * panel_rows + first * lanes, factor, run.count, m + first, total + first, to + first * lanes);
    });
    fill_outside(run.vectors, to, (run.count + 1) / 2, 0u);
  }
  long const written = up_to(2, keys.count());
  std::fill_n(weights + written / 2 * panel_rows, (up_to(tile_depth, written) - written) / 2 * panel_rows, 0u);
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
