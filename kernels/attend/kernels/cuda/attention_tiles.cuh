// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tiles in shared memory, how they get there, and how the tensor cores multiply them.
#pragma once
#include <attend/kernels/cuda/attention_problem.hpp>
#include <attend/kernels/cuda/ptx.cuh>

namespace attend::kernels::cuda {
inline namespace ATTEND_DETAIL_ISA {
namespace detail {

/// How a matrix can be copied: 16 bytes at a time, 4, or element by element.
enum class copy_width { elements, words, chunks };

/// A 16-byte chunk of a tile, from which others of the same panels are an exclusive or and an addition away.
template <int Rows, int Panel>
struct chunk_place {
  std::uint32_t address;

  /// The chunk `chunks`, an even number, to the right and `rows`, a multiple of 8, below.
  __device__ std::uint32_t beyond(int rows, int chunks) const {
    return (address ^ static_cast<std::uint32_t>(chunks % Panel * 16)) + static_cast<std::uint32_t>((chunks / Panel * Rows + rows) * Panel * 16);
  }
};

/// A tile (Rows, Columns) of T in shared memory: panels of 128 bytes of columns (64, where 128 do not divide the row), the
/// rows of a panel one after the other, their 16-byte chunks exchanged by row so that eight rows of a column of chunks lie
/// in different banks.
template <class T, int Rows, int Columns>
struct shared_tile {
  static constexpr int per_chunk = 16 / static_cast<int>(sizeof(T)); // elements
  static constexpr int panel = Columns / per_chunk % 8 == 0 ? 8 : 4; // chunks
  static constexpr int panels = Columns / per_chunk / panel;
  static constexpr int bytes = Rows * Columns * static_cast<int>(sizeof(T));
  std::uint32_t base; // a multiple of 128

  /// A chunk of the first panel.
  __device__ chunk_place<Rows, panel> at(int row, int chunk) const {
    int const exchanged = panel == 8 ? row & 7 : (row >> 1) & 3;
    return {base + static_cast<std::uint32_t>(row * panel * 16 + ((chunk ^ exchanged) << 4))};
  }
};

struct alignas(16) halves {
  std::uint16_t bits[8];
};

/// Begins to copy `rows` rows of `columns` columns from row `first` on; the rest of the tile becomes zero. Eight threads
/// (four, where panels are narrow) copy the part of a row that lies in a panel.
template <int Threads, class T, int Rows, int Columns>
__device__ void copy_tile(shared_tile<T, Rows, Columns> tile, matrix_slice<T const> const& from, copy_width width, int first,
                          int rows, int columns) {
  constexpr int panel = tile.panel, panels = tile.panels, per_chunk = tile.per_chunk, step = Threads / panel;
  static_assert(Rows % step == 0 && step % 8 == 0);
  int const row = ptx::thread_index() / panel, chunk = ptx::thread_index() % panel;
  std::uint32_t const to = tile.at(row, chunk).address;
  auto const chunk_of = [&](int p, int k) { return to + static_cast<std::uint32_t>((p * Rows + k * step) * panel * 16); };
  if (width == copy_width::chunks) {
    T const* source = from.data + static_cast<long>(first + row) * from.row + chunk * per_chunk;
#pragma unroll
    for (int k = 0; k < Rows / step; ++k) {
#pragma unroll
      for (int p = 0; p < panels; ++p)
        ptx::copy_async<16>(chunk_of(p, k), source + p * panel * per_chunk, row + k * step < rows && (p * panel + chunk) * per_chunk < columns);
      source += step * from.row;
    }
    return;
  }
#pragma unroll 1
  for (int i = 0; i < Rows / step * panels; ++i) {
    int const k = i / panels, p = i % panels, column = (p * panel + chunk) * per_chunk;
    int const left = row + k * step < rows ? columns - column : 0;
    T const* source = from.data + static_cast<long>(first + row + k * step) * from.row + column * from.column;
    if (sizeof(T) == 4 || width == copy_width::words) {
      constexpr int per_word = 4 / static_cast<int>(sizeof(T));
#pragma unroll
      for (int w = 0; w < 4; ++w, source += per_word * from.column)
        ptx::copy_async<4>(chunk_of(p, k) + 4 * static_cast<std::uint32_t>(w), source, w * per_word < left);
    } else {
      halves elements{};
#pragma unroll
      for (int e = 0; e < 8; ++e, source += from.column)
        if (e < left) elements.bits[e] = *reinterpret_cast<std::uint16_t const*>(source);
      ptx::store_shared(chunk_of(p, k), elements);
    }
  }
}

/// tile = tile & keep ^ flip, each thread what it copied and has waited for.
template <int Threads, class T, int Rows, int Columns>
__device__ void change_bits(shared_tile<T, Rows, Columns> tile, std::uint32_t keep, std::uint32_t flip) {
  std::uint32_t const to = tile.at(ptx::thread_index() / tile.panel, ptx::thread_index() % tile.panel).address;
#pragma unroll 1
  for (int i = 0; i < tile.bytes / 16 / Threads; ++i) {
    std::uint32_t const chunk = to + static_cast<std::uint32_t>(i * Threads * 16); // the panels follow one another
    auto bits = ptx::load_shared<uint4>(chunk);
    bits = {(bits.x & keep) ^ flip, (bits.y & keep) ^ flip, (bits.z & keep) ^ flip, (bits.w & keep) ^ flip};
    ptx::store_shared(chunk, bits);
  }
}

/// d (16, 8) += a (16, 32 bytes) b (32 bytes, 8), as the tensor cores hold them.
template <class T>
__device__ void multiply(float (&d)[4], std::uint32_t const (&a)[4], std::uint32_t const (&b)[2]) {
  if constexpr (sizeof(T) == 2) ptx::product_m16n8k16<T>(d, a, b);
  else { // an f32 is the sum of two tf32, but for a part in 2^22; the least of the four products is left out
    std::uint32_t a_high[4], a_low[4], b_high[2], b_low[2];
    auto const split = [](std::uint32_t bits, std::uint32_t& high, std::uint32_t& low) {
      high = ptx::to_tf32(ptx::as_float(bits));
      low = ptx::to_tf32(ptx::as_float(bits) - ptx::as_float(high));
    };
#pragma unroll
    for (int i = 0; i < 4; ++i) split(a[i], a_high[i], a_low[i]);
#pragma unroll
    for (int i = 0; i < 2; ++i) split(b[i], b_high[i], b_low[i]);
    ptx::product_m16n8k8(d, a_low, b_high);
    ptx::product_m16n8k8(d, a_high, b_low);
    ptx::product_m16n8k8(d, a_high, b_high);
  }
}

/// scores (16 RowBlocks, Keys) = query (16 RowBlocks from first_row on, Depth) key^T (Keys, Depth), in registers: of each
/// block of 16 rows and 8 keys the four that a product leaves in a thread.
template <int RowBlocks, class T, int Rows, int Keys, int Depth>
__device__ void score_products(shared_tile<T, Rows, Depth> query, int first_row, shared_tile<T, Keys, Depth> key,
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
  for (int chunk = 0; chunk < Depth / query.per_chunk; chunk += 2) {
    std::uint32_t a[RowBlocks][4];
#pragma unroll
    for (int r = 0; r < RowBlocks; ++r) ptx::load_matrix(a[r], left.beyond(16 * r, chunk));
#pragma unroll
    for (int j = 0; j < Keys / 8; j += 2) {
      std::uint32_t b[4]; // two blocks of 8 keys
      ptx::load_matrix(b, right.beyond(8 * j, chunk));
#pragma unroll
      for (int r = 0; r < RowBlocks; ++r) {
        multiply<T>(scores[r][j], a[r], {b[0], b[1]});
        multiply<T>(scores[r][j + 1], a[r], {b[2], b[3]});
      }
    }
  }
}

/// output (16 RowBlocks, Width) += weights (16 RowBlocks, Keys) value (Keys, Width). Weights are rounded to T, where that
/// is no coarser than the result; else what rounding leaves is multiplied, too.
template <bool Rounds, int RowBlocks, class T, int Keys, int Width>
__device__ void output_products(float const (&weights)[RowBlocks][Keys / 8][4], shared_tile<T, Keys, Width> value,
                                float (&output)[RowBlocks][Width / 8][4])
  requires(sizeof(T) == 2)
{
  int const lane = ptx::thread_index() % ptx::warp_size;
  auto const right = value.at(lane % 16, lane / 16);
#pragma unroll
  for (int k = 0; k < Keys / 16; ++k) {
    std::uint32_t a[RowBlocks][4]; // two neighbouring blocks of scores are an operand as they stand
    [[maybe_unused]] std::uint32_t rest[RowBlocks][4];
#pragma unroll
    for (int r = 0; r < RowBlocks; ++r)
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        float const(&block)[4] = weights[r][2 * k + e / 2];
        float const x = block[2 * (e % 2)], y = block[2 * (e % 2) + 1];
        a[r][e] = ptx::pack<T>(x, y);
        if constexpr (!Rounds) {
          float2 const rounded = ptx::unpack<T>(a[r][e]);
          rest[r][e] = ptx::pack<T>(x - rounded.x, y - rounded.y);
        }
      }
#pragma unroll
    for (int j = 0; j < Width / 8; j += 2) {
      std::uint32_t b[4];
      ptx::load_matrix_transposed(b, right.beyond(16 * k, j));
#pragma unroll
      for (int r = 0; r < RowBlocks; ++r) {
        multiply<T>(output[r][j], a[r], {b[0], b[1]});
        if constexpr (!Rounds) multiply<T>(output[r][j], rest[r], {b[0], b[1]});
        multiply<T>(output[r][j + 1], a[r], {b[2], b[3]});
        if constexpr (!Rounds) multiply<T>(output[r][j + 1], rest[r], {b[2], b[3]});
      }
    }
  }
}
/// The same in f32. A thread holds neighbouring keys where a left operand wants one and the fourth after it, so the keys of
/// a block are taken in another order, in both operands.
template <bool, int RowBlocks, class T, int Keys, int Width>
__device__ void output_products(float const (&weights)[RowBlocks][Keys / 8][4], shared_tile<T, Keys, Width> value,
                                float (&output)[RowBlocks][Width / 8][4])
  requires(sizeof(T) == 4)
{
  int const lane = ptx::thread_index() % ptx::warp_size;
  auto const even = value.at(2 * (lane % 4), lane / 16), odd = value.at(2 * (lane % 4) + 1, lane / 16);
  std::uint32_t const in_chunk = static_cast<std::uint32_t>(lane / 4 % 4 * 4);
#pragma unroll
  for (int k = 0; k < Keys / 8; ++k)
#pragma unroll
    for (int j = 0; j < Width / 8; ++j) {
      std::uint32_t const b[2] = {ptx::load_shared<std::uint32_t>(even.beyond(8 * k, 2 * j) + in_chunk),
                                  ptx::load_shared<std::uint32_t>(odd.beyond(8 * k, 2 * j) + in_chunk)};
#pragma unroll
      for (int r = 0; r < RowBlocks; ++r) {
        float const(&w)[4] = weights[r][k];
        multiply<T>(output[r][j], {ptx::as_bits(w[0]), ptx::as_bits(w[2]), ptx::as_bits(w[1]), ptx::as_bits(w[3])}, b);
      }
    }
}

} // namespace detail
} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cuda
