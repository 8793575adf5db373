// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How a reduction walks its axes: which rows go together, and the blocks a row is summed by.
//
//   group   the rows one accumulator set serves: one row, its lanes along the last inner axis (horizontal), or up to
//           Rows rows side by side, lanes along the last outer axis (vertical)
//   line    horizontal: a run along the last inner axis; vertical: one inner position
//   block   up to block_steps steps for each accumulator, added one after the other
//   chunk   16 blocks, the least that is worth a task
// All of it follows from extents and strides alone, never from the number of threads.
#pragma once
#include <algorithm>
#include <attend/kernels/thrust/tiles.hpp>

namespace attend::kernels::passes {
inline namespace ATTEND_DETAIL_ISA {

template <int Lane, int Outer, int Inner, int Width, int Rows>
struct rows_geometry {
  static constexpr int axes = Outer + Inner, lane = Lane, outer = Outer, width = Width;
  static constexpr bool vertical = Lane < Outer;
  /// Accumulators of a group, and those a horizontal block keeps busy at once (an addition takes several cycles).
  static constexpr int columns = vertical ? Rows / Width : 1, parallel = 4;
  static constexpr int block_steps = 64, chunk_blocks = 16;
  /// The axes of lines: all inner ones, but for the lanes'.
  static constexpr int line_end = vertical ? axes : axes - 1;

  long extent[axes];
  long groups = 1, tiles_of_lane = 1;                // groups in all, and along a vertical lane axis
  long lines = 1, lines_per_block = 1, per_line = 1; // per_line: blocks that cut one long line
  long blocks = 0, chunks = 0;

  /// A block's lines [line, last), and the part [begin, end) of the lane axis (horizontal).
  struct block {
    long line, last, begin, end;
  };
  /// Where a group's rows begin, how many rows it has and how many columns they fill.
  struct group {
    point<axes> at;
    int rows, used;
  };

  explicit rows_geometry(long const* extents) {
    std::copy(extents, extents + axes, extent);
    for (int axis = Outer; axis < line_end; ++axis) lines *= extent[axis];
    for (int axis = 0; axis < Outer; ++axis) groups *= axis == Lane ? 1 : extent[axis];
    if constexpr (vertical) {
      tiles_of_lane = (extent[Lane] + columns * Width - 1) / (columns * Width);
      groups *= tiles_of_lane;
      lines_per_block = block_steps;
    } else {
      long const steps = (extent[Lane] + Width - 1) / Width, most = block_steps * parallel;
      per_line = std::max(1l, (steps + most - 1) / most);
      lines_per_block = per_line > 1 || steps == 0 ? 1 : most / steps;
      if (steps == 0) lines = 0;
    }
    blocks = (lines + lines_per_block - 1) / lines_per_block * per_line;
    chunks = (blocks + chunk_blocks - 1) / chunk_blocks;
  }

  /// Elements of one group.
  long work() const { return lines * (vertical ? std::min<long>(extent[Lane], columns * Width) : extent[Lane]); }

  group group_at(long i) const {
    group g{{}, 1, 1};
    if constexpr (vertical) {
      g.at.at[Lane] = i % tiles_of_lane * columns * Width;
      g.rows = static_cast<int>(std::min<long>(extent[Lane] - g.at.at[Lane], columns * Width));
      g.used = (g.rows + Width - 1) / Width;
      i /= tiles_of_lane;
    }
    for (int axis = Outer - 1; axis >= 0; --axis)
      if (axis != Lane) g.at.at[axis] = i % extent[axis], i /= extent[axis];
    return g;
  }
  block block_at(long i) const {
    long const line = i / per_line * lines_per_block;
    block b{line, std::min(lines, line + lines_per_block), 0, extent[Lane]};
    if (per_line > 1) {
      b.begin = i % per_line * block_steps * parallel * Width;
      b.end = std::min(extent[Lane], b.begin + block_steps * parallel * Width);
    }
    return b;
  }
  /// Sets the inner axes of a place to a line.
  void go_to_line(point<axes>& at, long line) const {
    for (int axis = line_end - 1; axis >= Outer; --axis) at.at[axis] = line % extent[axis], line /= extent[axis];
  }
  void next_line(point<axes>& at) const {
    constexpr long zero[axes] = {};
    next(at.at, zero, extent, Outer, line_end);
  }
};

} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::passes
