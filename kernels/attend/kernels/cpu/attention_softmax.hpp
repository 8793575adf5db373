// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The online softmax on one panel: rows lie along the lanes, so nothing is summed across them.
#pragma once
#include <attend/kernels/cpu/attention_scratch.hpp>
#include <attend/kernels/cpu/kept_keys.hpp>
#include <attend/kernels/cpu/simd_math.hpp>
#include <algorithm>

#ifdef __CUDACC__
#pragma nv_diagnostic push
#pragma nv_diag_suppress 1675 // its front end knows no `GCC unroll`; the host compiler behind it does
#endif

namespace attend::kernels::cpu {
inline namespace ATTEND_DETAIL_ISA {
namespace detail {

/// exp(scores - m) of V vectors of `keys` rows; `total` takes in their sums.
template <bool Coarse, int V>
[[gnu::noinline]] inline void exponentials_of_run(float* scores, long keys, vec const* m, vec* total) {
  constexpr int together = std::max(4 / V, 1); // four chains or so
  vec sums[together * V];
  for (vec& s : sums) s = vec(0.0f);
  auto const weigh = [&]<int Keys>(std::integral_constant<int, Keys>, long j) __attribute__((always_inline)) {
    float* const here = scores + j * panel_rows;
    vec x[Keys * V];
#pragma GCC unroll 16
    for (int i = 0; i < Keys * V; ++i) x[i] = load(here + i / V * panel_rows + i % V * lanes) - m[i % V];
    exp_negative<Coarse>(x);
#pragma GCC unroll 16
    for (int i = 0; i < Keys * V; ++i) {
      store(here + i / V * panel_rows + i % V * lanes, x[i]);
      sums[i] = sums[i] + x[i];
    }
  };
  long j = 0;
  for (; j + together <= keys; j += together) weigh(std::integral_constant<int, together>{}, j);
  if constexpr (together > 1)
    for (; j < keys; ++j) weigh(std::integral_constant<int, 1>{}, j);
  for (int i = 0; i < together * V; ++i) total[i % V] = total[i % V] + sums[i];
}

/// scores = exp(scores - m), row by row, and zero outside of each run's vectors; `total`: their sums.
template <bool Coarse>
inline void exponentials(float* scores, kept_keys const& keys, vec const (&m)[tuning.vectors], vec (&total)[tuning.vectors]) {
  [[maybe_unused]] without_denormals<> const fast;
  for (vec& t : total) t = vec(0.0f);
  for (key_run const& run : keys) {
    float* const here = scores + (run.first - keys.first()) * panel_rows;
    int const first = run.vectors.first;
    for (long i = 0; i < run.count; i += tuning.chain) {
      long const count = std::min<long>(run.count - i, tuning.chain);
      with_count(run.vectors, [&]<int V>() { exponentials_of_run<Coarse, V>(here + i * panel_rows + first * lanes, count, m + first, total + first); });
    }
    fill_outside(run.vectors, here, run.count, 0.0f);
  }
}

/// One step of the online softmax: exponentials(max, total) makes weights exp(score - max) of the scores, of which
/// `largest` are the largest of each row; the panel's `max` and `sum` take them in, and `rescale` is what the sums kept so
/// far are worth under the new maximum. The maximum may stay behind by `Slack`: then weights exceed 1, but what is kept
/// need not be rescaled. (Zadouri et al., FlashAttention-4, 2026.)
template <int Slack, class Exponentials>
[[gnu::always_inline]] inline void online_softmax(vec const (&largest)[tuning.vectors], panel_state const& panel,
                                                  vec (&rescale)[tuning.vectors], Exponentials const& exponentials) {
  constexpr int V = tuning.vectors;
  vec m[V], total[V];
#pragma GCC unroll 8
  for (int v = 0; v < V; ++v) {
    vec const before = load(panel.max + v * lanes);
    vec const now = Slack > 0 ? select(largest[v] > before + vec(Slack), largest[v], before) : max_second(largest[v], before);
    store(panel.max + v * lanes, now);
    m[v] = select(now == vec(-__builtin_inff()), vec(0.0f), now); // nothing kept yet: -inf less 0 stays -inf
    rescale[v] = before - m[v];
  }
  exp_negative<false>(rescale);
  exponentials(m, total);
#pragma GCC unroll 8
  for (int v = 0; v < V; ++v) store(panel.sum + v * lanes, fma(load(panel.sum + v * lanes), rescale[v], total[v]));
}

} // namespace detail
} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cpu

#ifdef __CUDACC__
#pragma nv_diagnostic pop
#endif
