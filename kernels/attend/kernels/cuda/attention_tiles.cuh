// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tiles of 16-bit elements in shared memory, how they get there, and how the tensor cores read them.
#pragma once
#include <attend/kernels/cuda/attention_problem.hpp>
#include <attend/kernels/cuda/ptx.cuh>

namespace attend::kernels::cuda {
namespace detail {

/// How many bytes at a time a matrix can be copied by: 16, 4, or 2 where neighbours do not lie side by side.
enum class copy_width { elements, pairs, eights };

/// A tile (Rows, Columns) in shared memory: panels of 64 columns (32, where they do not divide the columns), the rows of
/// a panel one after the other, their 16-byte chunks exchanged by row so that eight rows of a column of chunks lie in
/// different banks.
template <int Rows, int Columns>
struct shared_tile {
  static constexpr int rows = Rows, chunks = Columns / 8;
  static constexpr int panel = Columns % 64 == 0 ? 8 : 4; // chunks
  static constexpr int bytes = Rows * Columns * 2;
  std::uint32_t base;

  __device__ std::uint32_t at(int row, int chunk) const {
    int const exchanged = panel == 8 ? row & 7 : (row >> 1) & 3;
    return base + static_cast<std::uint32_t>((chunk / panel * Rows + row) * panel * 16 + ((chunk % panel ^ exchanged) << 4));
  }
};

struct alignas(16) chunk_of_elements {
  std::uint16_t bits[8];
};

/// Begins to copy `rows` rows of `columns` columns from row `first` on; the rest of the tile becomes zero.
template <int Threads, class Tile, class T>
__device__ void copy_tile(Tile tile, matrix_slice<T const> from, copy_width width, int first, int rows, int columns) {
  constexpr int count = Tile::rows * Tile::chunks;
  static_assert(count % Threads == 0);
  T const* const begin = from.data + static_cast<long>(first) * from.row;
  int const thread = ptx::thread_index();
  if (width == copy_width::eights) {
#pragma unroll
    for (int k = 0; k < count / Threads; ++k) {
      int const row = (thread + k * Threads) / Tile::chunks, chunk = (thread + k * Threads) % Tile::chunks;
      bool const there = row < rows && chunk * 8 < columns;
      ptx::copy_async<16>(tile.at(row, chunk), there ? begin + row * from.row + chunk * 8 : begin, there);
    }
    return;
  }
#pragma unroll 1
  for (int i = thread; i < count; i += Threads) {
    int const row = i / Tile::chunks, chunk = i % Tile::chunks;
    std::uint32_t const to = tile.at(row, chunk);
    if (width == copy_width::pairs) {
#pragma unroll
      for (int e = 0; e < 8; e += 2) {
        bool const there = row < rows && chunk * 8 + e < columns;
        ptx::copy_async<4>(to + 2 * e, there ? begin + row * from.row + chunk * 8 + e : begin, there);
      }
    } else {
      chunk_of_elements elements{};
#pragma unroll
      for (int e = 0; e < 8; ++e)
        if (row < rows && chunk * 8 + e < columns)
          elements.bits[e] = reinterpret_cast<std::uint16_t const*>(begin)[row * from.row + (chunk * 8 + e) * from.column];
      ptx::store_shared(to, elements);
    }
  }
}

/// scores (16 RowBlocks, Keys) = query (rows of this warp, Depth) key^T (Keys, Depth), in registers: of each block of 16
/// rows and 8 keys the four of product_m16n8k16. Query bits are `& keep ^ flip`.
template <int RowBlocks, int Keys, int Depth, class T, class Query, class Key>
__device__ void score_products(Query query, int first_row, std::uint32_t keep, std::uint32_t flip, Key key,
                               float (&scores)[RowBlocks][Keys / 8][4]) {
  int const lane = ptx::thread_index() % ptx::warp_size;
#pragma unroll
  for (int r = 0; r < RowBlocks; ++r)
#pragma unroll
    for (int j = 0; j < Keys / 8; ++j)
#pragma unroll
      for (int e = 0; e < 4; ++e) scores[r][j][e] = 0;
#pragma unroll
  for (int k = 0; k < Depth / 16; ++k) {
    std::uint32_t a[RowBlocks][4];
#pragma unroll
    for (int r = 0; r < RowBlocks; ++r) {
      ptx::load_matrix(a[r], query.at(first_row + 16 * r + lane % 16, 2 * k + lane / 16));
#pragma unroll
      for (int e = 0; e < 4; ++e) a[r][e] = (a[r][e] & keep) ^ flip;
    }
#pragma unroll
    for (int j = 0; j < Keys / 16; ++j) {
      std::uint32_t b[4]; // two blocks of 8 keys
      ptx::load_matrix(b, key.at(16 * j + lane % 8 + lane / 16 * 8, 2 * k + lane / 8 % 2));
#pragma unroll
      for (int r = 0; r < RowBlocks; ++r) {
        ptx::product_m16n8k16<T>(scores[r][2 * j], a[r], b[0], b[1]);
        ptx::product_m16n8k16<T>(scores[r][2 * j + 1], a[r], b[2], b[3]);
      }
    }
  }
}

/// output (16 RowBlocks, Width) += weights (16 RowBlocks, Keys), rounded to T, value (Keys, Width).
template <int RowBlocks, int Keys, int Width, class T, class Value>
__device__ void output_products(float const (&weights)[RowBlocks][Keys / 8][4], Value value,
                                float (&output)[RowBlocks][Width / 8][4]) {
  int const lane = ptx::thread_index() % ptx::warp_size;
#pragma unroll
  for (int k = 0; k < Keys / 16; ++k) {
    std::uint32_t a[RowBlocks][4]; // two neighbouring blocks of scores are an operand as they stand
#pragma unroll
    for (int r = 0; r < RowBlocks; ++r)
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        float const(&block)[4] = weights[r][2 * k + e / 2];
        a[r][e] = ptx::pack<T>(block[2 * (e % 2)], block[2 * (e % 2) + 1]);
      }
#pragma unroll
    for (int j = 0; j < Width / 16; ++j) {
      std::uint32_t b[4];
      ptx::load_matrix_transposed(b, value.at(16 * k + lane % 16, 2 * j + lane / 16));
#pragma unroll
      for (int r = 0; r < RowBlocks; ++r) {
        ptx::product_m16n8k16<T>(output[r][2 * j], a[r], b[0], b[1]);
        ptx::product_m16n8k16<T>(output[r][2 * j + 1], a[r], b[2], b[3]);
      }
    }
  }
}

} // namespace detail
} // namespace attend::kernels::cuda
