// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The online softmax on one panel: rows lie along the lanes, so nothing is summed across them.
#pragma once
#include <attend/kernels/cpu/attention_tuning.hpp>
#include <attend/kernels/cpu/simd_math.hpp>

namespace attend::kernels::cpu {
inline namespace ATTEND_DETAIL_ISA {
namespace detail {

/// One step of the online softmax: scores become weights exp(score - max), `max` and `sum` take them in, and
/// `rescale` is what the sums kept so far are worth under the new maximum.
template <bool Coarse>
inline void online_softmax(float* scores, long keys, vec const (&largest)[tuning.vectors], float* max, float* sum,
                           vec (&rescale)[tuning.vectors]) {
  constexpr int V = tuning.vectors;
  vec m[V], total[V];
#pragma GCC unroll 8
  for (int v = 0; v < V; ++v) {
    vec const before = load(max + v * lanes), now = max_second(largest[v], before);
    store(max + v * lanes, now);
    m[v] = select(now == vec(-__builtin_inff()), vec(0.0f), now); // nothing kept yet: -inf less 0 stays -inf
    rescale[v] = exp_negative<false>(before - m[v]);
    total[v] = load(sum + v * lanes) * rescale[v];
  }
  for (long j = 0; j < keys; ++j)
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) {
      float* const here = scores + j * panel_rows + v * lanes;
      vec const weight = exp_negative<Coarse>(load(here) - m[v]);
      store(here, weight);
      total[v] = total[v] + weight;
    }
#pragma GCC unroll 8
  for (int v = 0; v < V; ++v) store(sum + v * lanes, total[v]);
}

} // namespace detail
} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cpu
