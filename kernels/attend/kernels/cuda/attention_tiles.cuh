// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tiles of 16-bit elements in shared memory, how they get there, and how the tensor cores read them.
#pragma once
#include <attend/kernels/cuda/attention_problem.hpp>
#include <attend/kernels/cuda/ptx.cuh>

namespace attend::kernels::cuda {
namespace detail {

/// How many bytes at a time a matrix can be copied by: 16, 4, or 2 where neighbours do not lie side by side.
enum class copy_width { elements, pairs, eights };

/// A 16-byte chunk of a tile, from which others of the same panels are an exclusive or and an addition away.
template <int Rows, int Panel>
struct chunk_place {
  std::uint32_t address;

  /// The chunk `chunks`, an even number, to the right and `rows`, a multiple of 8, below.
  __device__ std::uint32_t beyond(int rows, int chunks) const {
    return (address ^ static_cast<std::uint32_t>(chunks % Panel * 16)) + static_cast<std::uint32_t>((chunks / Panel * Rows + rows) * Panel * 16);
  }
};

/// A tile (Rows, Columns) in shared memory: panels of 64 columns (32, where 64 do not divide the columns), the rows of a
/// panel one after the other, their 16-byte chunks exchanged by row so that eight rows of a column of chunks lie in
/// different banks.
template <int Rows, int Columns>
struct shared_tile {
  static constexpr int rows = Rows;
  static constexpr int panel = Columns % 64 == 0 ? 8 : 4; // chunks
  static constexpr int panels = Columns / 8 / panel;
  static constexpr int bytes = Rows * Columns * 2;
  std::uint32_t base; // a multiple of 128

  /// A chunk of the first panel.
  __device__ chunk_place<Rows, panel> at(int row, int chunk) const {
    int const exchanged = panel == 8 ? row & 7 : (row >> 1) & 3;
    return {base + static_cast<std::uint32_t>(row * panel * 16 + ((chunk ^ exchanged) << 4))};
  }
};

struct alignas(16) chunk_of_elements {
  std::uint16_t bits[8];
};

/// Begins to copy `rows` rows of `columns` columns from row `first` on; the rest of the tile becomes zero. Eight threads
/// (four, where panels are narrow) copy the part of a row that lies in a panel.
template <int Threads, int Rows, int Columns, class T>
__device__ void copy_tile(shared_tile<Rows, Columns> tile, matrix_slice<T const> const& from, copy_width width, int first,
                          int rows, int columns) {
  constexpr int panel = tile.panel, step = Threads / panel;
  static_assert(Rows % step == 0 && step % 8 == 0);
  int const row = ptx::thread_index() / panel, chunk = ptx::thread_index() % panel;
  std::uint32_t const to = tile.at(row, chunk).address;
  auto const chunk_of = [&](int p, int k) { return to + static_cast<std::uint32_t>((p * Rows + k * step) * panel * 16); };
  if (width == copy_width::eights) {
    T const* source = from.data + static_cast<long>(first + row) * from.row + chunk * 8;
#pragma unroll
    for (int k = 0; k < Rows / step; ++k) {
#pragma unroll
      for (int p = 0; p < tile.panels; ++p)
        ptx::copy_async<16>(chunk_of(p, k), source + p * panel * 8, row + k * step < rows && (p * panel + chunk) * 8 < columns);
      source += step * from.row;
    }
    return;
  }
#pragma unroll 1
  for (int i = 0; i < Rows / step * tile.panels; ++i) {
    int const k = i / tile.panels, p = i % tile.panels, column = (p * panel + chunk) * 8;
    int const left = row + k * step < rows ? columns - column : 0;
    T const* source = from.data + static_cast<long>(first + row + k * step) * from.row + column * from.column;
    if (width == copy_width::pairs) {
#pragma unroll
      for (int e = 0; e < 8; e += 2) ptx::copy_async<4>(chunk_of(p, k) + 2 * e, source + e, e < left);
    } else {
      chunk_of_elements elements{};
#pragma unroll
      for (int e = 0; e < 8; ++e, source += from.column)
        if (e < left) elements.bits[e] = *reinterpret_cast<std::uint16_t const*>(source);
      ptx::store_shared(chunk_of(p, k), elements);
    }
  }
}

/// scores (16 RowBlocks, Keys) = query (rows of this warp, Depth) key^T (Keys, Depth), in registers: of each block of 16
/// rows and 8 keys the four of product_m16n8k16. Query bits are `& keep ^ flip`.
template <int RowBlocks, int Keys, int Depth, class T, class Query, class Key>
__device__ void score_products(Query query, int first_row, std::uint32_t keep, std::uint32_t flip, Key key,
                               float (&scores)[RowBlocks][Keys / 8][4]) {
  int const lane = ptx::thread_index() % ptx::warp_size;
  auto const left = query.at(first_row + lane % 16, lane / 16);
  auto const right = key.at(lane % 8 + lane / 16 * 8, lane / 8 % 2);
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
      ptx::load_matrix(a[r], left.beyond(16 * r, 2 * k));
#pragma unroll
      for (int e = 0; e < 4; ++e) a[r][e] = (a[r][e] & keep) ^ flip;
    }
#pragma unroll
    for (int j = 0; j < Keys / 16; ++j) {
      std::uint32_t b[4]; // two blocks of 8 keys
      ptx::load_matrix(b, right.beyond(16 * j, 2 * k));
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
  auto const right = value.at(lane % 16, lane / 16);
  std::uint32_t a[Keys / 16][RowBlocks][4]; // two neighbouring blocks of scores are an operand as they stand
#pragma unroll
  for (int k = 0; k < Keys / 16; ++k)
#pragma unroll
    for (int r = 0; r < RowBlocks; ++r)
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        float const(&block)[4] = weights[r][2 * k + e / 2];
        a[k][r][e] = ptx::pack<T>(block[2 * (e % 2)], block[2 * (e % 2) + 1]);
      }
#pragma unroll
  for (int k = 0; k < Keys / 16; ++k)
#pragma unroll
    for (int j = 0; j < Width / 16; ++j) {
      std::uint32_t b[4];
      ptx::load_matrix_transposed(b, right.beyond(16 * k, 2 * j));
#pragma unroll
      for (int r = 0; r < RowBlocks; ++r) {
        ptx::product_m16n8k16<T>(output[r][2 * j], a[k][r], b[0], b[1]);
        ptx::product_m16n8k16<T>(output[r][2 * j + 1], a[k][r], b[2], b[3]);
      }
    }
}

} // namespace detail
} // namespace attend::kernels::cuda
