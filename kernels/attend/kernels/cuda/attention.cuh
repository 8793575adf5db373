// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Fused attention forward for GPUs from sm_80 on, for any elementwise functor of the scores: FlashAttention-2 (Dao, 2023)
// with 16-bit tensor-core products summed in f32. Memory does not grow with rows or keys.
#pragma once
#include <attend/kernels/cuda/attention_problem.hpp>
#include <attend/kernels/cuda/attention_score.cuh>
#include <attend/kernels/cuda/attention_softmax.cuh>
#include <attend/kernels/cuda/attention_tiles.cuh>
#include <attend/kernels/cuda/attention_tuning.hpp>
#include <cmath>

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

template <class U, int B, int N>
__device__ matrix_slice<U> slice_of(matrix<U, B> const& x, long const (&batch)[N]) {
  long offset = 0;
#pragma unroll
  for (int i = 0; i < B; ++i) offset += x.batch[i] * batch[i];
  return {x.data + offset, x.row, x.column};
}

/// The output of rows without a sum: every key has the same weight.
template <int RowBlocks, int ColumnBlocks, class Call>
__device__ void weigh_alike(Call const& call, long const (&batch)[Call::axes], thread_share const& mine,
                            softmax_state<RowBlocks> const& state, float (&output)[RowBlocks][ColumnBlocks][4]) {
  auto const& p = call.problem;
  auto const value_of = slice_of(p.value, batch);
#pragma unroll
  for (int r = 0; r < RowBlocks; ++r)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float const sum = state.sum[r][half];
      if (sum > 0 || (sum == 0 && !Call::weighs_zero)) continue;
      float const alike = sum == 0 && std::is_same_v<typename Call::Empty, empty_row::uniform_t> ? 1 / static_cast<float>(p.keys) : __builtin_nanf("");
#pragma unroll
      for (int j = 0; j < ColumnBlocks; ++j) output[r][j][2 * half] = output[r][j][2 * half + 1] = 0;
#pragma unroll 1
      for (int t = 0; t < static_cast<int>(p.keys); ++t) {
        score_place<Call::B> const at{batch, mine.rows, static_cast<int>(p.keys), mine.row(r, half), position::of(t)};
        float const w = kernels::detail::as_number<real>(value<real>(call.weighing, at, real{alike})).x;
#pragma unroll
        for (int j = 0; j < ColumnBlocks; ++j)
#pragma unroll
          for (int e = 0; e < 2; ++e)
            if (int const column = mine.key(j, e).at; column < static_cast<int>(p.width))
              output[r][j][2 * half + e] += w * load_number<float>(value_of.data[t * value_of.row + column * value_of.column]);
      }
    }
}

/// Two neighbouring results.
template <class Out>
__device__ void store_pair(Out* to, float x, float y) {
  if constexpr (half_precision<Out>) *reinterpret_cast<std::uint32_t*>(to) = ptx::pack<Out>(x, y);
  else *reinterpret_cast<float2*>(to) = {x, y};
}

/// out = output * factor of the row, and the row's log-sum-exp.
template <int RowBlocks, int ColumnBlocks, class Call>
__device__ void store_results(Call const& call, long const (&batch)[Call::axes], thread_share const& mine,
                              softmax_state<RowBlocks> const& state, float const (&output)[RowBlocks][ColumnBlocks][4]) {
  constexpr float ln2 = 0.693147180559945309f;
  auto const& p = call.problem;
  auto const out = slice_of(p.out, batch);
#pragma unroll
  for (int r = 0; r < RowBlocks; ++r)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      int const row = mine.row(r, half).at;
      if (row >= mine.rows) continue;
      float const sum = state.sum[r][half];
      float const log_sum = state.max[r][half] * (call.factor * ln2) + ::logf(sum);
      float factor = (sum == 0 || (Call::weighs_nan && sum != sum) ? 1 : 1 / sum) * static_cast<float>(p.output_scale);
      if constexpr (!std::is_same_v<std::remove_cvref_t<decltype(call.gain)>, no_gain>) {
        score_place<Call::B> const at{batch, mine.rows, static_cast<int>(p.keys), mine.row(r, half), {}};
        factor *= kernels::detail::as_number<real>(value<real>(call.gain, at, real{log_sum})).x;
      }
      auto* const to = out.data + row * out.row;
#pragma unroll
      for (int j = 0; j < ColumnBlocks; ++j) {
        int const column = mine.key(j, 0).at;
        float const x = output[r][j][2 * half] * factor, y = output[r][j][2 * half + 1] * factor;
        if (call.out_in_pairs) {
          if (column < static_cast<int>(p.width)) store_pair(to + column, x, y);
        } else {
          if (column < static_cast<int>(p.width)) to[column * out.column] = store_number<typename Call::Out>(x);
          if (column + 1 < static_cast<int>(p.width)) to[(column + 1) * out.column] = store_number<typename Call::Out>(y);
        }
      }
      if constexpr (!std::is_void_v<typename Call::Sum>)
        if (mine.first_key.at == 0) {
          auto const sums = slice_of(call.sums, batch);
          sums.data[row * sums.row] = store_number<typename Call::Sum>(log_sum);
        }
    }
}

/// A block: Tiles::rows query rows of one position of the batch against all keys that they keep.
template <class Tiles, int HeadDim, class Call>
__global__ void __launch_bounds__(Tiles::warps* ptx::warp_size, Tiles::blocks) attention_kernel(__grid_constant__ Call const call) {
  using T = typename Call::T;
  constexpr int B = Call::B, threads = Tiles::warps * ptx::warp_size;
  constexpr int row_blocks = Tiles::rows / (16 * Tiles::warps), key_blocks = Tiles::keys / 8, column_blocks = HeadDim / 8;
  auto const& p = call.problem;
  int const rows = static_cast<int>(p.rows), keys = static_cast<int>(p.keys);
  int const depth = static_cast<int>(p.depth), width = static_cast<int>(p.width);

  // The last rows first: under a causal mask they keep the most.
  unsigned const block = ptx::block_index().x, row_tiles = static_cast<unsigned>(call.row_tiles);
  int const first_row = static_cast<int>(row_tiles - 1 - block % row_tiles) * Tiles::rows;
  int const rows_here = rows - first_row < Tiles::rows ? rows - first_row : Tiles::rows;
  int const row_of_warp = ptx::thread_index() / ptx::warp_size * 16 * row_blocks;
  long batch[Call::axes] = {};
  call.batch_at(block / row_tiles, batch);
  auto const query = slice_of(p.query, batch);
  auto const key = slice_of(p.key, batch), value = slice_of(p.value, batch);

  using query_tile_t = shared_tile<T, Tiles::rows, HeadDim>;
  using key_tile_t = shared_tile<T, Tiles::keys, HeadDim>;
  query_tile_t const query_tile{ptx::dynamic_shared()};
  key_tile_t const key_tile{query_tile.base + query_tile_t::bytes}, value_tile{key_tile.base + key_tile_t::bytes};
  auto const copy_keys = [&](key_tile_t to, matrix_slice<T const> const& from, copy_width by, int first_key, int columns) {
    copy_tile<threads>(to, from, by, first_key, keys - first_key, columns);
    ptx::copy_async_commit();
  };

  kept_tiles<Tiles::keys, decltype(call.score), B> tiles(call.score, batch, first_row, first_row + rows_here - 1, keys);
  typename decltype(tiles)::kept tile, next;
  bool more = tiles.next(tile);
  copy_tile<threads>(query_tile, query, call.query_width, first_row, rows_here, depth);
  if (more) copy_keys(key_tile, key, call.key_width, tile.first_key, depth);
  if (call.keep != ~0u || call.flip != 0) {
    ptx::copy_async_commit();
    ptx::copy_async_wait<0>();
    change_bits<threads>(query_tile, call.keep, call.flip);
  }

  float output[row_blocks][column_blocks][4] = {}; // (rows of the warp, HeadDim)
  softmax_state<row_blocks> state;
  while (more) {
    ptx::copy_async_wait<0>();
    ptx::block_barrier(); // the keys are there, and nobody reads the values of the tile before
    copy_keys(value_tile, value, call.value_width, tile.first_key, width);
    more = tiles.next(next); // here, where registers are free

    float scores[row_blocks][key_blocks][4]; // (rows of the warp, keys)
    score_products(query_tile, row_of_warp, key_tile, scores);
    ptx::copy_async_wait<0>();
    ptx::block_barrier(); // the values are there, and nobody reads the keys
    if (more) copy_keys(key_tile, key, call.key_width, next.first_key, depth);

    thread_share const mine(first_row + row_of_warp, rows, tile.first_key, keys);
    apply_score<B>(call.score, tile.masked, call.before, batch, mine, scores);
    online_softmax(call.factor, scores, state, output);
    apply_weighing<B>(call.weighing, batch, mine, scores);
    output_products<std::is_same_v<typename Call::weights, T>>(scores, value_tile, output);
    tile = next;
  }

  thread_share const mine(first_row + row_of_warp, rows, 0, width);
#pragma unroll
  for (int r = 0; r < row_blocks; ++r)
#pragma unroll
    for (int half = 0; half < 2; ++half) state.sum[r][half] = sum_of_row(state.sum[r][half]);
  if constexpr (Call::weighs_zero || Call::weighs_nan) weigh_alike(call, batch, mine, state, output);
  store_results(call, batch, mine, state, output);
  ptx::copy_async_commit();
  ptx::copy_async_wait<0>(); // of the query, where no keys are kept
}

/// How rows of so many columns can be copied.
template <class T, int B>
copy_width copy_width_of(matrix<T const, B> const& x, long columns) {
  auto const lies_by = [&](long bytes) {
    long const by = bytes / static_cast<long>(sizeof(T));
    bool all = x.column == 1 && reinterpret_cast<std::uintptr_t>(x.data) % static_cast<std::uintptr_t>(bytes) == 0 && columns % by == 0 && x.row % by == 0;
    for (int i = 0; i < B; ++i) all = all && x.batch[i] % by == 0;
    return all;
  };
  return lies_by(16) ? copy_width::chunks : lies_by(4) ? copy_width::words : copy_width::elements;
}

/// Launches the kernel of one head dim, which depth and width do not exceed.
template <class Machine, int HeadDim, class Call>
cudaError_t launch_attention(cudaStream_t stream, Call call, long batches) {
  using tuning = attention_tuning<Machine, typename Call::weights, HeadDim, std::is_same_v<decltype(call.score), argument<0>>>;
  using tiles = typename tuning::tiles;
  constexpr int shared_bytes = tiles::template shared_bytes<typename Call::T>(HeadDim);
  static_assert(shared_bytes <= Machine::shared_bytes);
  static_assert(shared_bytes == shared_tile<typename Call::T, tiles::rows, HeadDim>::bytes + 2 * shared_tile<typename Call::T, tiles::keys, HeadDim>::bytes);
  long const row_tiles = (call.problem.rows + tiles::rows - 1) / tiles::rows;
  if (row_tiles * batches > std::numeric_limits<int>::max()) return cudaErrorInvalidValue;
  call.row_tiles = static_cast<int>(row_tiles);
  return ptx::launch({"attention", dim3(static_cast<unsigned>(row_tiles * batches)), tiles::warps * ptx::warp_size, shared_bytes, stream},
                     attention_kernel<tiles, HeadDim, Call>, call);
}

/// Of the given head dims, in rising order, the first that is enough, for the current device.
template <int... HeadDims, class Call>
cudaError_t attention_by_head_dim(std::integer_sequence<int, HeadDims...>, cudaStream_t stream, Call const& call, long batches) {
  int shared_bytes = 0;
  if (cudaError_t const status = ptx::shared_bytes_of_device(shared_bytes); status != cudaSuccess) return status;
  long const needed = call.problem.depth > call.problem.width ? call.problem.depth : call.problem.width;
  cudaError_t status = cudaErrorInvalidValue;
  auto const launch = [&]<int HeadDim>(std::integral_constant<int, HeadDim>) {
    if (needed > HeadDim) return false;
    status = shared_bytes >= sm_80::shared_bytes ? launch_attention<sm_80, HeadDim>(stream, call, batches)
                                                 : launch_attention<sm_86, HeadDim>(stream, call, batches);
    return true;
  };
  static_cast<void>((launch(std::integral_constant<int, HeadDims>{}) || ...));
  return status;
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

  constexpr double log2_e = 1.4426950408889634;
  detail::attention_call<Empty, T, Out, B, Score, Weighing, Gain, Sum> call{problem, also.sums, score, weighing, gain};
  call.before = static_cast<float>(problem.scale);
  call.factor = static_cast<float>(log2_e);
  if constexpr (detail::only_masks<Score>) { // the scale commutes with the maximum, its sign apart
    if (problem.scale < 0) call.flip = sizeof(T) == 2 ? 0x80008000u : 0x80000000u;
    if (problem.scale == 0) call.keep = 0;
    else call.factor = static_cast<float>(std::fabs(problem.scale) * log2_e);
  }
  call.query_width = detail::copy_width_of(problem.query, problem.depth);
  call.key_width = detail::copy_width_of(problem.key, problem.depth);
  call.value_width = detail::copy_width_of(problem.value, problem.width);
  bool pairs = problem.out.column == 1 && problem.out.row % 2 == 0 && problem.width % 2 == 0 &&
               reinterpret_cast<std::uintptr_t>(problem.out.data) % (2 * sizeof(Out)) == 0;
  for (int i = 0; i < B; ++i) pairs = pairs && problem.out.batch[i] % 2 == 0;
  call.out_in_pairs = pairs;
  return detail::attention_by_head_dim(head_dims, stream, call, batches);
}

} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cuda
