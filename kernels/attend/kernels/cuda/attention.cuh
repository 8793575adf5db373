// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Fused attention forward on a GPU, for any elementwise functor of the scores.
#pragma once
#include <attend/kernels/cuda/attention_sm80.cuh>
#include <attend/kernels/cuda/attention_sm90.cuh>
#include <cmath>

namespace attend::kernels::cuda {
inline namespace ATTEND_DETAIL_ISA {
namespace detail {

/// Launches the kernel of one head dim that is for the current device and this problem.
template <int HeadDim, class Call>
cudaError_t launch_attention(cudaStream_t stream, Call const& call, long batches) {
  if constexpr (half_precision<typename Call::T> && half_precision<typename Call::Out>)
    if (left_to_sm_80<decltype(call.score)>(call.problem) == nullptr) {
      constexpr bool plain = std::is_same_v<decltype(call.score), argument<0>>;
      constexpr int narrow = HeadDim == 192 ? 128 : HeadDim; // of values, which may be narrower than keys are deep
      bool taken = false;
      cudaError_t const status = call.problem.width <= narrow
                                     ? launch_attention_sm90<typename warpgroup_tuning<HeadDim, narrow, plain>::tiles>(stream, call, batches, taken)
                                     : launch_attention_sm90<typename warpgroup_tuning<HeadDim, HeadDim, plain>::tiles>(stream, call, batches, taken);
      if (taken || status != cudaSuccess) return status;
    }
  int shared_bytes = 0;
  if (cudaError_t const status = ptx::shared_bytes_of_device(shared_bytes); status != cudaSuccess) return status;
  return shared_bytes >= sm_80::shared_bytes ? launch_attention_sm80<sm_80, HeadDim>(stream, call, batches)
                                             : launch_attention_sm80<sm_86, HeadDim>(stream, call, batches);
}

/// Of the given head dims, in rising order, the first that is enough.
template <int... HeadDims, class Call>
cudaError_t attention_by_head_dim(std::integer_sequence<int, HeadDims...>, cudaStream_t stream, Call const& call, long batches) {
  long const needed = call.problem.depth > call.problem.width ? call.problem.depth : call.problem.width;
  cudaError_t status = cudaErrorInvalidValue;
  static_cast<void>(((needed <= HeadDims && (status = launch_attention<HeadDims>(stream, call, batches), true)) || ...));
  return status;
}

/// What the kernels are given of a problem.
template <class Empty, class T, class Out, int B, class Score, class Weighing, class Gain, class Weight, class Sum>
auto call_of(attention_problem<T, Out, B> const& problem, Score const& score, Weighing const& weighing, Gain const& gain,
             attention_results<Weight, Sum, B> const& also) {
  constexpr double log2_e = 1.4426950408889634;
  attention_call<Empty, T, Out, B, Score, Weighing, Gain, Sum> call{problem, also.sums, score, weighing, gain};
  call.before = static_cast<float>(problem.scale);
  call.factor = static_cast<float>(log2_e);
  if constexpr (only_masks<Score>) { // the scale commutes with the maximum, its sign apart
    if (problem.scale < 0) call.flip = sizeof(T) == 2 ? 0x80008000u : 0x80000000u;
    if (problem.scale == 0) call.keep = 0;
    else call.factor = static_cast<float>(std::fabs(problem.scale) * log2_e);
  }
  call.query_width = copy_width_of(problem.query, problem.depth);
  call.key_width = copy_width_of(problem.key, problem.depth);
  call.value_width = copy_width_of(problem.value, problem.width);
  bool pairs = problem.out.column == 1 && problem.out.row % 2 == 0 && problem.width % 2 == 0 &&
               reinterpret_cast<std::uintptr_t>(problem.out.data) % (2 * sizeof(Out)) == 0;
  for (int i = 0; i < B; ++i) pairs = pairs && problem.out.batch[i] % 2 == 0;
  call.out_in_pairs = pairs;
  return call;
}

} // namespace detail

/// Fused attention on the current device; asynchronous, without memory of its own. The functors are those of functor.hpp;
/// axes 0 ... B - 1 are the batch axes, axis B the query row, axis B + 1 the key. `score` takes the scaled product for
/// argument<0>, `weighing`, which is linear, the weight, and `gain`, of the batch and the row, the row's log-sum-exp. Empty
/// says what a row with nothing kept gives. T: bf16 or f16, whose products are exact and summed in f32, weights rounded to
/// T where the result has 16 bits, else to twice its bits; or f32, whose products are within 2^-21 of themselves (infinite
/// operands give NaN). Exponentials are within 2^-22. The results may be of any of the three. Depth and width up to the
/// last of HeadDims, any strides (fast where the innermost is 1), fewer than 2^24 rows and keys; else
/// cudaErrorInvalidValue.
template <class Empty, class T, class Out, int B, class Score, class Weighing = argument<0>, class Gain = no_gain,
          class Weight = void, class Sum = void, class HeadDims = attention_head_dims>
cudaError_t attention(cudaStream_t stream, attention_problem<T, Out, B> const& problem, Score const& score, Weighing const& weighing = {},
                      Gain const& gain = {}, attention_results<Weight, Sum, B> const& also = {}, HeadDims head_dims = {}) {
  static_assert(half_precision<T> || std::is_same_v<T, float>, "the fused attention on CUDA is for bf16, f16 and f32");
  static_assert(!std::is_void_v<Empty>, "the fused attention on CUDA has a softmax");
  static_assert(std::is_void_v<Weight>, "the fused attention on CUDA does not write weights");
  long batches = 1;
  for (int i = 0; i < B; ++i) batches *= problem.batch[i];
  if (batches == 0 || problem.rows == 0 || (problem.width == 0 && std::is_void_v<Sum>)) return cudaSuccess;
  if (problem.rows >= most_positions || problem.keys >= most_positions) return cudaErrorInvalidValue;

  auto const call = detail::call_of<Empty>(problem, detail::by_products(score), weighing, gain, also);
  return detail::attention_by_head_dim(head_dims, stream, call, batches);
}

} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cuda
