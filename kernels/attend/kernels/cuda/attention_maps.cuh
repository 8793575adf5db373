// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A batch of matrices as the tensor memory accelerator copies tiles of it.
#pragma once
#include <attend/kernels/cuda/attention_problem.hpp>
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

/// How a call's rows are packed: along a batch axis, whose positions share keys and values, `count` to each row.
struct row_packing {
  int axis = -1, count = 1;
};

/// Makes the map by which boxes of `box_rows` packed rows are copied; false where a tensor map cannot say how x lies: its
/// columns lie apart, its data is not aligned to 16 bytes, a stride is no positive multiple of 16 bytes, or the batch has
/// more axes than two can stand for.
template <class U, int B, int Axes>
bool map_of(matrix_map<Axes>& to, matrix<U, B> const& x, long const (&batch)[Axes], long rows, long columns, int box_rows, row_packing packing) {
  using T = std::remove_const_t<U>;
  constexpr long most = 1l << 32, unused = 16;
  auto const fits = [](long extent, long stride) {
    return extent < most && (extent == 1 || (stride > 0 && stride % 8 == 0 && stride * static_cast<long>(sizeof(T)) < 1l << 40));
  };
  auto const bytes = [&](long extent, long stride) { return static_cast<std::uint64_t>(extent == 1 ? unused : stride * static_cast<long>(sizeof(T))); };
  bool const packs = packing.axis >= 0;
  long const packed_stride = packs ? x.batch[packing.axis] : 0;
  if ((x.column != 1 && columns > 1) || reinterpret_cast<std::uintptr_t>(x.data) % 16 != 0 || !fits(rows, x.row) || !fits(packing.count, packed_stride)) return false;

  long extent[2] = {1, 1}, stride[2] = {0, 0};
  for (int axis = B - 1; axis >= 0; --axis) {
    to.steps[0][axis] = to.steps[1][axis] = 0;
    long const n = batch[axis], by = x.batch[axis];
    if (axis == packing.axis || n == 1 || by == 0) continue;
    int i = 0;
    for (; i < 2; ++i)
      if (extent[i] == 1 || by == stride[i] * extent[i]) break;
    if (i == 2 || !fits(n, by)) return false;
    if (extent[i] == 1) stride[i] = by;
    to.steps[i][axis] = static_cast<int>(extent[i]);
    extent[i] *= n;
  }
  if (B == 0) to.steps[0][0] = to.steps[1][0] = 0;
  if (extent[0] >= most || extent[1] >= most) return false;

  auto const count = static_cast<std::uint32_t>(packing.count);
  ptx::tile_tensor const tensor{const_cast<T*>(x.data),
                                {static_cast<std::uint64_t>(columns), count, static_cast<std::uint64_t>(rows), static_cast<std::uint64_t>(extent[0]),
                                 static_cast<std::uint64_t>(extent[1])},
                                {bytes(packing.count, packed_stride), bytes(rows, x.row), bytes(extent[0], stride[0]), bytes(extent[1], stride[1])},
                                {static_cast<std::uint32_t>(panel_columns), count, static_cast<std::uint32_t>(box_rows) / count, 1, 1}};
  return ptx::make_map<T>(to.map, tensor) == cudaSuccess;
}

} // namespace detail
} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cuda
