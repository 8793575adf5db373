// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The score functor and the online softmax on one panel: rows lie along the lanes, so nothing is summed across them.
#pragma once
#include <attend/kernels/cpu/attention_tuning.hpp>
#include <attend/kernels/cpu/lane_axis.hpp>

namespace attend::kernels::cpu {
inline namespace ATTEND_DETAIL_ISA {
namespace detail {

/// Query rows of one panel: `count` of them from `first` on, at one position of the B batch axes.
template <int B>
struct panel_position {
  long batch[B > 0 ? B : 1];
  long first;
  long count;
};

/// scores = score(scores), and the largest of each row. Axes: 0 ... B - 1 batch, B row, B + 1 key.
template <int B, class Score>
[[gnu::noinline]] void apply_score(Score const& score, panel_position<B> const& panel, long first_key, long keys,
                                   float* scores, vec (&largest)[tuning.vectors]) {
  lane_axis<B, B + 2> at;
  for (int i = 0; i < B; ++i) at.at[i] = panel.batch[i];
  for (int v = 0; v < tuning.vectors; ++v) {
    long const left = panel.count - v * lanes;
    if (left <= 0) break;
    at.at[B] = panel.first + v * lanes;
    at.count = static_cast<int>(left < lanes ? left : lanes);
    vec m(-__builtin_inff());
    for (long j = 0; j < keys; ++j) {
      at.at[B + 1] = first_key + j;
      float* const here = scores + j * panel_rows + v * lanes;
      vec const x = kernels::detail::as_number<vec>(value<vec>(score, at, load(here)));
      store(here, x);
      m = max_second(x, m);
    }
    largest[v] = m;
  }
}

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
