// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The online softmax in the log2 domain, on the rows that four neighbouring lanes share.
#pragma once
#include <attend/kernels/cuda/ptx.cuh>
#include <attend/kernels/isa.hpp>

namespace attend::kernels::cuda {
inline namespace ATTEND_DETAIL_ISA {
namespace detail {

/// What a thread keeps of its rows: the largest score, and this thread's share of the sum of exp(score - largest).
template <int RowBlocks>
struct softmax_state {
  float max[RowBlocks][2], sum[RowBlocks][2];

  __device__ softmax_state() {
#pragma unroll
    for (int r = 0; r < RowBlocks; ++r) max[r][0] = max[r][1] = -__builtin_inff(), sum[r][0] = sum[r][1] = 0;
  }
};

/// Over the four lanes that hold a row; a NaN is left out of a maximum, and found again in the sum.
__device__ inline float largest_of_row(float x) {
  x = ::fmaxf(x, ptx::shuffle_xor(x, 1));
  return ::fmaxf(x, ptx::shuffle_xor(x, 2));
}
__device__ inline float sum_of_row(float x) {
  x += ptx::shuffle_xor(x, 1);
  return x + ptx::shuffle_xor(x, 2);
}

/// A new maximum is taken of the scores: what was summed so far, the output too, is to be multiplied by 2^(factor (old
/// maximum - new)), and the sums have been.
template <int RowBlocks>
struct rescaling {
  float shift[RowBlocks][2], by[RowBlocks][2]; ///< of scores times factor; of what was summed
  bool any = false;                            ///< of this thread's rows

  template <int KeyBlocks>
  __device__ rescaling(float factor, float const (&scores)[RowBlocks][KeyBlocks][4], softmax_state<RowBlocks>& state) {
#pragma unroll
    for (int r = 0; r < RowBlocks; ++r)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float m = state.max[r][half];
#pragma unroll
        for (int j = 0; j < KeyBlocks; ++j) m = ::fmaxf(m, ::fmaxf(scores[r][j][2 * half], scores[r][j][2 * half + 1]));
        m = largest_of_row(m);
        shift[r][half] = m == -__builtin_inff() ? 0 : m * factor; // nothing kept yet: -inf less 0 stays -inf
        by[r][half] = ptx::exp2(::fmaf(state.max[r][half], factor, -shift[r][half]));
        any = any || by[r][half] != 1;
        state.max[r][half] = m;
        state.sum[r][half] *= by[r][half];
      }
  }
};

template <int RowBlocks, int ColumnBlocks>
__device__ void rescale(rescaling<RowBlocks> const& to, float (&output)[RowBlocks][ColumnBlocks][4]) {
  if (ptx::ballot(to.any) != 0) // less and less often, the more keys a row has seen
#pragma unroll
    for (int r = 0; r < RowBlocks; ++r)
#pragma unroll
      for (int j = 0; j < ColumnBlocks; ++j)
#pragma unroll
        for (int e = 0; e < 4; ++e) output[r][j][e] *= to.by[r][e / 2];
}

/// Scores become weights 2^(factor (score - max)), and are summed.
template <int RowBlocks, int KeyBlocks>
__device__ void exponentials(float factor, rescaling<RowBlocks> const& to, float (&scores)[RowBlocks][KeyBlocks][4], softmax_state<RowBlocks>& state) {
#pragma unroll
  for (int r = 0; r < RowBlocks; ++r)
#pragma unroll
    for (int j = 0; j < KeyBlocks; ++j)
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        float& x = scores[r][j][e];
        x = ptx::exp2(::fmaf(x, factor, -to.shift[r][e / 2]));
        state.sum[r][e / 2] += x;
      }
}

} // namespace detail
} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cuda
