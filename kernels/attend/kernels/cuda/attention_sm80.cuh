// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The fused attention of GPUs from sm_80 on: FlashAttention-2 (Dao, 2023) with tensor-core products of warps, summed in
// f32. Memory does not grow with rows or keys.
#pragma once
#include <attend/kernels/cuda/attention_call.cuh>

namespace attend::kernels::cuda {
inline namespace ATTEND_DETAIL_ISA {
namespace detail {

/// Two neighbouring results.
template <class Out>
__device__ void store_pair(Out* to, float x, float y) {
  if constexpr (half_precision<Out>) *reinterpret_cast<std::uint32_t*>(to) = ptx::pack<Out>(x, y);
  else *reinterpret_cast<float2*>(to) = {x, y};
}

/// out = output * factor of the row, and the row's log-sum-exp.
template <int RowBlocks, int ColumnBlocks, class Call, class Share>
__device__ void store_results(Call const& call, Share const& mine, softmax_state<RowBlocks> const& state,
                              float const (&output)[RowBlocks][ColumnBlocks][4]) {
  auto const& p = call.problem;
#pragma unroll
  for (int r = 0; r < RowBlocks; ++r)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      int const row = mine.row(r, half).at;
      if (row >= mine.rows) continue;
      float const factor = finish_row(call, mine, state, r, half);
      auto const out = slice_of(p.out, mine.batch_of(r, half));
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
    }
}

/// A block: Tiles::rows query rows of one position of the batch against all keys that they keep.
template <class Tiles, int HeadDim, class Call>
__global__ void __launch_bounds__(Tiles::warps* ptx::warp_size, Tiles::blocks) attention_sm80_kernel(__grid_constant__ Call const call) {
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

    thread_share<B> const mine(batch, first_row + row_of_warp, rows, tile.first_key, keys);
    apply_score(call.score, tile.masked, call.before, mine, scores);
    rescaling<row_blocks> const to(call.factor, scores, state);
    rescale(to, output);
    exponentials(call.factor, to, scores, state);
    apply_weighing(call.weighing, mine, scores);
    output_products<std::is_same_v<typename Call::weights, T>>(scores, value_tile, output);
    tile = next;
  }

  thread_share<B> const mine(batch, first_row + row_of_warp, rows, 0, width);
#pragma unroll
  for (int r = 0; r < row_blocks; ++r)
#pragma unroll
    for (int half = 0; half < 2; ++half) state.sum[r][half] = sum_of_row(state.sum[r][half]);
  if constexpr (Call::weighs_zero || Call::weighs_nan) weigh_alike(call, mine, state, output);
  store_results(call, mine, state, output);
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
cudaError_t launch_attention_sm80(cudaStream_t stream, Call call, long batches) {
  using tuning = attention_tuning<Machine, typename Call::weights, HeadDim, std::is_same_v<decltype(call.score), argument<0>>>;
  using tiles = typename tuning::tiles;
  constexpr int shared_bytes = tiles::template shared_bytes<typename Call::T>(HeadDim);
  static_assert(shared_bytes <= Machine::shared_bytes);
  static_assert(shared_bytes == shared_tile<typename Call::T, tiles::rows, HeadDim>::bytes + 2 * shared_tile<typename Call::T, tiles::keys, HeadDim>::bytes);
  long const row_tiles = (call.problem.rows + tiles::rows - 1) / tiles::rows;
  if (row_tiles * batches > std::numeric_limits<int>::max()) return cudaErrorInvalidValue;
  call.row_tiles = static_cast<int>(row_tiles);
  return ptx::launch({"attention", dim3(static_cast<unsigned>(row_tiles * batches)), tiles::warps * ptx::warp_size, shared_bytes, stream},
                     attention_sm80_kernel<tiles, HeadDim, Call>, call);
}

} // namespace detail
} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cuda
