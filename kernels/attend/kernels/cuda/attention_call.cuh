// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What kernels of the fused attention are given and what all of them do with a row when its keys are done.
#pragma once
#include <attend/kernels/cuda/attention_problem.hpp>
#include <attend/kernels/cuda/attention_score.cuh>
#include <attend/kernels/cuda/attention_softmax.cuh>
#include <attend/kernels/cuda/attention_tiles.cuh>
#include <attend/kernels/cuda/attention_tuning.hpp>

namespace attend::kernels::cuda {
inline namespace ATTEND_DETAIL_ISA {
namespace detail {

/// What weights are multiplied as: T, or T in two parts where the result is finer than T.
template <class T, class Out>
struct weights_for {
  using type = T;
};
template <half_precision T>
struct weights_for<T, float> {
  using type = in_two_parts<T>;
};

/// What a kernel is given.
template <class Empty_, class T_, class Out_, int B_, class Score, class Weighing, class Gain, class Sum_>
struct attention_call {
  using Empty = Empty_;
  using T = T_;
  using Out = Out_;
  using Sum = Sum_;
  using weights = typename weights_for<T, Out>::type;
  static constexpr int B = B_;
  static constexpr int axes = B > 0 ? B : 1;
  /// Whether rows without a sum are computed once more: those that keep nothing, where that is not zero, and those of NaN,
  /// of which a weighing may leave no key.
  static constexpr bool weighs_zero = !std::is_same_v<Empty, empty_row::zeros_t>, weighs_nan = !std::is_same_v<Weighing, argument<0>>;

  attention_problem<T, Out, B> problem;
  matrix<Sum, B> sums;
  Score score;
  Weighing weighing;
  Gain gain;
  int row_tiles = 0;
  float before = 1;                   ///< what products are multiplied by before the functor has them
  float factor = 1;                   ///< what its results are multiplied by before 2^x
  std::uint32_t keep = ~0u, flip = 0; ///< query bits & keep ^ flip
  copy_width query_width{}, key_width{}, value_width{};
  bool out_in_pairs = false;

  /// Position `i` of the batch.
  __device__ void batch_at(unsigned i, long (&batch)[axes]) const {
#pragma unroll
    for (int axis = B - 1; axis >= 0; --axis) {
      auto const extent = static_cast<unsigned>(problem.batch[axis]);
      batch[axis] = i % extent;
      i /= extent;
    }
  }
};

template <class U, int B>
__device__ matrix_slice<U> slice_of(matrix<U, B> const& x, long const* batch) {
  long offset = 0;
#pragma unroll
  for (int i = 0; i < B; ++i) offset += x.batch[i] * batch[i];
  return {x.data + offset, x.row, x.column};
}

/// The output of rows without a sum: every key has the same weight.
template <int RowBlocks, int ColumnBlocks, class Call, class Share>
__device__ void weigh_alike(Call const& call, Share const& mine, softmax_state<RowBlocks> const& state,
                            float (&output)[RowBlocks][ColumnBlocks][4]) {
  auto const& p = call.problem;
#pragma unroll
  for (int r = 0; r < RowBlocks; ++r)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float const sum = state.sum[r][half];
      if (sum > 0 || (sum == 0 && !Call::weighs_zero)) continue;
      float const alike = sum == 0 && std::is_same_v<typename Call::Empty, empty_row::uniform_t> ? 1 / static_cast<float>(p.keys) : __builtin_nanf("");
      auto const value_of = slice_of(p.value, mine.batch_of(r, half));
#pragma unroll
      for (int j = 0; j < ColumnBlocks; ++j) output[r][j][2 * half] = output[r][j][2 * half + 1] = 0;
#pragma unroll 1
      for (int t = 0; t < static_cast<int>(p.keys); ++t) {
        float const w = kernels::detail::as_number<real>(value<real>(call.weighing, place_of(mine, r, half, position::of(t)), real{alike})).x;
#pragma unroll
        for (int j = 0; j < ColumnBlocks; ++j)
#pragma unroll
          for (int e = 0; e < 2; ++e)
            if (int const column = mine.key(j, e).at; column < static_cast<int>(p.width))
              output[r][j][2 * half + e] += w * load_number<float>(value_of.data[t * value_of.row + column * value_of.column]);
      }
    }
}

/// What a row's output is multiplied by; its log-sum-exp is stored, where it is asked for, by the thread that has its
/// first column.
template <int RowBlocks, class Call, class Share>
__device__ float finish_row(Call const& call, Share const& mine, softmax_state<RowBlocks> const& state, int r, int half) {
  constexpr float ln2 = 0.693147180559945309f;
  float const sum = state.sum[r][half];
  float const log_sum = state.max[r][half] * (call.factor * ln2) + ::logf(sum);
  float factor = (sum == 0 || (Call::weighs_nan && sum != sum) ? 1 : 1 / sum) * static_cast<float>(call.problem.output_scale);
  if constexpr (!std::is_same_v<std::remove_cvref_t<decltype(call.gain)>, no_gain>)
    factor *= kernels::detail::as_number<real>(value<real>(call.gain, place_of(mine, r, half, position{}), real{log_sum})).x;
  if constexpr (!std::is_void_v<typename Call::Sum>)
    if (mine.first_key.at == 0) {
      auto const sums = slice_of(call.sums, mine.batch_of(r, half));
      sums.data[mine.row(r, half).at * sums.row] = store_number<typename Call::Sum>(log_sum);
    }
  return factor;
}

} // namespace detail
} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cuda
