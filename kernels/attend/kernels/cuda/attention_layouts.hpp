// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which problems the fused attention of sm_90 takes: those whose matrices the tensor memory accelerator (TMA) can copy.
#pragma once
#include <attend/kernels/classify.hpp>
#include <attend/kernels/cuda/attention_problem.hpp>
#include <attend/types.hpp>
#include <cstdint>

namespace attend::kernels::cuda {
inline namespace ATTEND_DETAIL_ISA {

/// How a call's rows are packed into tiles: along a batch axis whose positions share keys and values, `count` to each row.
struct row_packing {
  int axis = -1, count = 1;
};

/// A batch of matrices as a tensor of five axes (column, packed, row, x, y): other axes of the batch lie along x and y, each
/// by a number of steps. Strides in elements.
template <int Axes>
struct tile_layout {
  bool copied = false; ///< whether TMA can: columns lie side by side, the data is aligned to 16 bytes, all strides are
                       ///< positive multiples of that, and the batch's axes join to two
  long extent[5], stride[5];
  int steps[2][Axes] = {};
};
template <class U, int B, int Axes>
tile_layout<Axes> layout_of(matrix<U, B> const& x, long const (&batch)[Axes], long rows, long columns, row_packing packing = {}) {
  constexpr long size = sizeof(U);
  tile_layout<Axes> to{};
  bool const packs = packing.axis >= 0;
  long const extent[] = {columns, packing.count, rows, 1, 1}, stride[] = {x.column, packs ? x.batch[packing.axis] : 0, x.row, 0, 0};
  for (int i = 0; i < 5; ++i) to.extent[i] = extent[i], to.stride[i] = stride[i];
  for (int axis = B - 1; axis >= 0; --axis) {
    if (axis == packing.axis || batch[axis] == 1 || x.batch[axis] == 0) continue;
    int i = 3;
    while (i < 5 && to.extent[i] > 1 && x.batch[axis] != to.stride[i] * to.extent[i]) ++i;
    if (i == 5) return to;
    if (to.extent[i] == 1) to.stride[i] = x.batch[axis];
    to.steps[i - 3][axis] = static_cast<int>(to.extent[i]);
    to.extent[i] *= batch[axis];
  }
  to.copied = reinterpret_cast<std::uintptr_t>(x.data) % 16 == 0 && (x.column == 1 || columns == 1);
  for (int i = 1; i < 5; ++i) {
    if (to.extent[i] == 1) to.stride[i] = 16 / size; // nobody asks
    bool const positive = to.stride[i] > 0 && to.stride[i] % (16 / size) == 0 && to.stride[i] < (1l << 40) / size;
    to.copied = to.copied && positive && to.extent[i] > 0 && to.extent[i] < 1l << 31;
  }
  return to;
}

/// Why the fused attention of sm_90 leaves a problem to that of sm_80; nullptr where it takes it.
template <class Score, class T, class Out, int B>
char const* left_to_sm_80(attention_problem<T, Out, B> const& p) {
  if constexpr (!half_precision<T> || !half_precision<Out>) return "operands and result are not of 16 bits";
  else {
    if (p.keys < 1 || p.depth < 1 || p.width < 1) return "there are no keys or columns";
    if (only_masks<Score> && !(p.scale > 0)) return "the scale is not positive";
    if (!layout_of(p.query, p.batch, p.rows, p.depth).copied) return "TMA cannot copy the queries' layout";
    if (!layout_of(p.key, p.batch, p.keys, p.depth).copied) return "TMA cannot copy the keys' layout";
    if (!layout_of(p.value, p.batch, p.keys, p.width).copied) return "TMA cannot copy the values' layout";
    if (!layout_of(p.out, p.batch, p.rows, p.width).copied) return "TMA cannot copy the result's layout";
    return nullptr;
  }
}

} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cuda
