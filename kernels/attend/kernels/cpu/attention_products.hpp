// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The two matrix products of the fused attention on one panel: vectors of query rows against single elements of keys
// and values, spread over the lanes as they are read.
#pragma once
#include <attend/kernels/cpu/attention_tuning.hpp>
#include <attend/kernels/cpu/kept_keys.hpp>
#include <attend/kernels/cpu/lines_ahead.hpp>
#include <attend/kernels/cpu/simd.hpp>

#ifdef __CUDACC__
#pragma nv_diagnostic push
#pragma nv_diag_suppress 1675 // its front end knows no `GCC unroll`; the host compiler behind it does
#endif

namespace attend::kernels::cpu {
inline namespace ATTEND_DETAIL_ISA {
namespace detail {

/// A tile of keys or values: floats, side by side in a row.
struct tile_view {
  float const* data;
  long row;

  tile_view from(long i) const { return {data + i * row, row}; }
};

template <int Rows, int V>
[[gnu::always_inline]] inline void set_to_zero(vec (&sum)[Rows][V]) {
#pragma GCC unroll 8
  for (int j = 0; j < Rows; ++j)
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) sum[j][v] = vec(0.0f);
}

/// step(i) for i in [0, n), with a line of memory asked for at every other one. Steps on V vectors, fewer than a panel's, are
/// not worth the code of four at a time.
template <int V, class Step>
[[gnu::always_inline]] inline void in_turns(long n, next_lines& soon, Step const& step) {
  long i = 0;
  if constexpr (V == tuning.vectors)
    for (; i + 4 <= n; i += 4) { // beside two products a cycle there is little room for counting
      soon.ask();
      step(i), step(i + 1);
      soon.ask();
      step(i + 2), step(i + 3);
    }
  else
    for (; i + 2 <= n; i += 2) {
      soon.ask();
      step(i), step(i + 1);
    }
  for (; i < n; ++i) step(i);
}
/// How many lines that asks for.
constexpr long lines_in_turns(long n, int V) { return V < tuning.vectors ? n / 2 : n / 4 * 2; }

/// scores[j] = query . key row j for `Keys` rows, of which the first `count` are there, and V vectors; the largest enter
/// `largest`.
template <int Keys, int V>
[[gnu::always_inline]] inline void score_group(float const* query, long depth, tile_view key, long count, float* scores,
                                               vec* largest, next_lines soon) {
  float const* row[Keys];
  vec sum[Keys][V];
  set_to_zero(sum);
#pragma GCC unroll 8
  for (int j = 0; j < Keys; ++j) row[j] = key.data + (j < count ? j : count - 1) * key.row; // rows past the end repeat the last, and are not kept
  in_turns<V>(depth, soon, [&](long d) __attribute__((always_inline)) {
    vec q[V];
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) q[v] = load(query + d * panel_rows + v * lanes);
#pragma GCC unroll 8
    for (int j = 0; j < Keys; ++j) {
      vec const k(row[j][d]);
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) sum[j][v] = fma(q[v], k, sum[j][v]);
    }
  });
  vec m[V];
#pragma GCC unroll 8
  for (int v = 0; v < V; ++v) m[v] = largest[v];
#pragma GCC unroll 8
  for (int j = 0; j < Keys; ++j) {
    if (j == count) break;
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) {
      store(scores + j * panel_rows + v * lanes, sum[j][v]);
      m[v] = max_second(sum[j][v], m[v]);
    }
  }
#pragma GCC unroll 8
  for (int v = 0; v < V; ++v) largest[v] = m[v];
}

/// The same of all keys.
template <int V>
[[gnu::noinline]] void score_groups(float const* query, long depth, tile_view key, long keys, float* scores, vec* largest, lines_ahead& ahead) {
  constexpr int most = tuning.group, some = 4, few = 2;
  for (long j = 0; j < keys;) {
    tile_view const rows = key.from(j);
    float* const to = scores + j * panel_rows;
    next_lines const soon = ahead.next(lines_in_turns(depth, V));
    long const left = keys - j;
    if (left > most + few) score_group<most, V>(query, depth, rows, most, to, largest, soon), j += most;
    else if (left > some && left <= most) score_group<most, V>(query, depth, rows, left, to, largest, soon), j += most;
    else if (left > few) score_group<some, V>(query, depth, rows, left < some ? left : some, to, largest, soon), j += some;
    else score_group<few, V>(query, depth, rows, left, to, largest, soon), j += few;
  }
}

/// scores (keys, panel_rows) = key (keys, depth) times query (depth, panel_rows) in some vectors; `largest` of each of their
/// rows over the keys, a NaN left out: it comes back as the weight's.
inline void score_products(float const* query, long depth, tile_view key, long keys, vector_range vectors, float* scores,
                           vec (&largest)[tuning.vectors], lines_ahead& ahead) {
  for (vec& m : largest) m = vec(-__builtin_inff());
  long const before = vectors.first * lanes;
  with_count(vectors, [&]<int V>() { score_groups<V>(query + before, depth, key, keys, scores + before, largest + vectors.first, ahead); });
}

/// output[e] = output[e] * rescale + sum over keys of weights[key] * value[key][e], for Columns consecutive e; where
/// output is `fresh` it is not read. Weights outside of a run's vectors are zero. The keys are summed chain by chain.
template <int Columns>
[[gnu::noinline]] void output_group(float const* weights, kept_keys const& keys, tile_view value, vec const (&rescale)[tuning.vectors],
                                    float* output, bool fresh, next_lines soon) {
  constexpr int V = tuning.vectors;
  constexpr bool often = Columns + 1 >= tuning.group; // fewer columns are rare: they take the zeros of the other vectors along
  key_run const* run = keys.begin();
  long taken = 0; // keys of the run
  bool first = true;
  do {
    vec sum[Columns][V];
    set_to_zero(sum);
    for (long length = 0; length < tuning.chain && run != keys.end();) {
      long const left = run->count - taken, count = left <= tuning.chain + tuning.chain / 2 ? left : tuning.chain;
      with_vectors(often || run->vectors.empty() ? run->vectors : vector_range{}, [&]<int First, int Count>() __attribute__((always_inline)) {
        if constexpr (!often && Count < V) return;
        long const before = run->first + taken - keys.first();
        float const *row = value.data + before * value.row, *weight = weights + before * panel_rows + First * lanes;
        in_turns<Count>(count, soon, [&](long) __attribute__((always_inline)) {
          vec p[Count];
#pragma GCC unroll 8
          for (int v = 0; v < Count; ++v) p[v] = load(weight + v * lanes);
#pragma GCC unroll 8
          for (int e = 0; e < Columns; ++e) {
            vec const x(row[e]);
#pragma GCC unroll 8
            for (int v = 0; v < Count; ++v) sum[e][First + v] = fma(p[v], x, sum[e][First + v]);
          }
          row += value.row, weight += panel_rows;
        });
      });
      length += count, taken += count;
      if (taken == run->count) ++run, taken = 0;
    }
    auto const join = [&](auto const& with) __attribute__((always_inline)) {
#pragma GCC unroll 8
      for (int e = 0; e < Columns; ++e)
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) {
          float* const to = output + e * panel_rows + v * lanes;
          store(to, with(to, v, sum[e][v]));
        }
    };
    if (!first) join([](float const* to, int, vec x) __attribute__((always_inline)) { return load(to) + x; });
    else if (fresh) join([](float const*, int, vec x) __attribute__((always_inline)) { return x; });
    else join([&](float const* to, int v, vec x) __attribute__((always_inline)) { return fma(load(to), rescale[v], x); });
    first = false;
  } while (run != keys.end());
}

/// output (width, panel_rows) = output * rescale + value^T (width, keys) times weights (keys, panel_rows), the first
/// term left out where output is `fresh`.
inline void output_products(float const* weights, kept_keys const& keys, tile_view value, long width,
                            vec const (&rescale)[tuning.vectors], float* output, bool fresh, lines_ahead& ahead) {
  long lines = 0;
  for (key_run const& run : keys) lines += lines_in_turns(run.count, run.vectors.end - run.vectors.first);
  long const groups = (width + tuning.group - 1) / tuning.group;
  long e = 0;
  for (long g = 0; g < groups; ++g) {
    long const columns = (width - e + groups - g - 1) / (groups - g); // groups as equal as they can be
    tile_view const part{value.data + e, value.row};
    float* const to = output + e * panel_rows;
    next_lines const soon = ahead.next(lines);
    switch (columns) {
    case 6: output_group<6>(weights, keys, part, rescale, to, fresh, soon); break;
    case 5: output_group<5>(weights, keys, part, rescale, to, fresh, soon); break;
    case 4: output_group<4>(weights, keys, part, rescale, to, fresh, soon); break;
    case 3: output_group<3>(weights, keys, part, rescale, to, fresh, soon); break;
    case 2: output_group<2>(weights, keys, part, rescale, to, fresh, soon); break;
    default: output_group<1>(weights, keys, part, rescale, to, fresh, soon);
    }
    e += columns;
  }
  static_assert(tuning.group == 6);
}

} // namespace detail
} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cpu

#ifdef __CUDACC__
#pragma nv_diagnostic pop
#endif
