// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A batch of matrices as the tensor memory accelerator copies tiles of it.
#pragma once
#include <attend/kernels/cuda/attention_layouts.hpp>
#include <attend/kernels/cuda/ptx_sm90.cuh>
#include <attend/kernels/isa.hpp>

namespace attend::kernels::cuda {
inline namespace ATTEND_DETAIL_ISA {
namespace detail {

/// Columns of a panel: what 128 bytes of 16-bit elements span.
inline constexpr int panel_columns = 64;

/// A map of axes (column, packed, row, x, y): the other axes of the batch lie along x and y, each by a number of steps.
template <int Axes>
struct matrix_map {
  CUtensorMap map;
  int steps[2][Axes];

  /// The first column and row of a position of the batch.
  __device__ ptx::tile_position at(long const* batch) const {
    ptx::tile_position p{};
#pragma unroll
    for (int axis = 0; axis < Axes; ++axis)
#pragma unroll
      for (int i = 0; i < 2; ++i) p.at[3 + i] += steps[i][axis] * static_cast<int>(batch[axis]);
    return p;
  }
};

/// Makes the map by which boxes of `box_rows` packed rows are copied.
template <class U, int B, int Axes>
cudaError_t map_of(matrix_map<Axes>& to, matrix<U, B> const& x, long const (&batch)[Axes], long rows, long columns, int box_rows, row_packing packing = {}) {
  using T = std::remove_const_t<U>;
  auto const layout = layout_of(x, batch, rows, columns, packing);
  if (!layout.copied) return cudaErrorInvalidValue;
  ptx::tile_tensor tensor{const_cast<T*>(x.data), {}, {}, {static_cast<std::uint32_t>(panel_columns), 1, static_cast<std::uint32_t>(box_rows), 1, 1}};
  tensor.box[1] = static_cast<std::uint32_t>(packing.count);
  tensor.box[2] /= tensor.box[1];
  for (int i = 0; i < 5; ++i) tensor.extent[i] = static_cast<std::uint64_t>(layout.extent[i]);
  for (int i = 0; i < 4; ++i) tensor.stride[i] = static_cast<std::uint64_t>(layout.stride[i + 1]) * sizeof(T);
  for (int i = 0; i < 2; ++i)
    for (int axis = 0; axis < Axes; ++axis) to.steps[i][axis] = layout.steps[i][axis];
  return ptx::make_map<T>(to.map, tensor);
}

} // namespace detail
} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cuda
