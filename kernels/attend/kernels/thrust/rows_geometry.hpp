// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How a reduction walks its axes: which rows go together, and the blocks a row is summed by.
//
//   group   the rows one accumulator set serves: one row, its lanes along the last inner axis (horizontal), or up to
//           `rows` rows side by side, lanes along the last outer axis (vertical)
//   line    horizontal: a run along the last inner axis; vertical: one inner position
//   block   up to block_steps steps for each accumulator, added one after the other
//   chunk   16 blocks, the least that is worth a task
// All of it follows from extents and strides alone, never from the number of threads; and all of it is plain data, so
// that walking is compiled once and not for every expression.
#pragma once
#include <algorithm>
#include <attend/kernels/thrust/tiles.hpp>

namespace attend::kernels::passes {
inline namespace ATTEND_DETAIL_ISA {

/// A block's lines [line, last), and the part [begin, end) of the lane axis.
struct row_block {
  long line, last, begin, end;
};
/// Where a group's rows begin on the outer axes, and the part [begin, end) of a vertical lane axis, which is at 0.
struct row_group {
  long at[max_axes];
  long begin, end;
  int used; // accumulators of it
};

struct rows_geometry {
  /// Accumulators a horizontal block keeps busy at once (an addition takes several cycles), as a power of two.
  static constexpr int parallel = 4;
  static constexpr long block_steps = 64, chunk_blocks = 16;

  int axes, outer, lane, width;
  bool vertical, dense; // dense: vectors of a horizontal line lie side by side in all that is read and written
  int columns;  // accumulators a block needs room for, a power of two
  int line_end; // the axes of lines are [outer, line_end): all inner ones, but for the lanes'
  long extent[max_axes];
  long groups = 1, tiles_of_lane = 1;                // groups in all, and along a vertical lane axis
  long lines = 1, lines_per_block = 1, per_line = 1; // per_line: blocks that cut one long line
  long blocks = 0, chunks = 0;

  /// Vectors of `width` lie along axis `lane`; vertical groups have up to `rows` rows.
  [[gnu::cold]] rows_geometry(long const* extents, int axes, int outer, int lane, int width, int rows, bool side_by_side)
      : axes(axes), outer(outer), lane(lane), width(width), vertical(lane < outer), dense(!vertical && side_by_side),
        columns(vertical ? rows / width : parallel), line_end(vertical ? axes : axes - 1) {
    std::copy(extents, extents + axes, extent);
    for (int axis = outer; axis < line_end; ++axis) lines *= extent[axis];
    for (int axis = 0; axis < outer; ++axis) groups *= axis == lane ? 1 : extent[axis];
    long const steps = (extent[lane] + width - 1) / width, most = block_steps * parallel;
    if (vertical) {
      tiles_of_lane = (steps + columns - 1) / columns;
      groups *= tiles_of_lane;
      lines_per_block = block_steps;
    } else {
      per_line = std::max(1l, (steps + most - 1) / most);
      lines_per_block = per_line > 1 || steps == 0 ? 1 : most / steps;
      if (steps == 0) lines = 0;
    }
    blocks = (lines + lines_per_block - 1) / lines_per_block * per_line;
    chunks = (blocks + chunk_blocks - 1) / chunk_blocks;
  }

  /// Elements of one group.
  long work() const { return lines * (vertical ? std::min<long>(extent[lane], columns * width) : extent[lane]); }

  [[gnu::noinline]] row_group group_at(long i) const {
    row_group g; // axes that no pass has stay as they are: to clear sixteen would take longer than a short row
    for (int axis = 0; axis < axes; ++axis) g.at[axis] = 0;
    g.begin = 0, g.end = 1, g.used = 1;
    if (vertical) {
      g.begin = i % tiles_of_lane * columns * width;
      g.end = std::min<long>(extent[lane], g.begin + columns * width);
      g.used = static_cast<int>((g.end - g.begin + width - 1) / width);
      i /= tiles_of_lane;
    }
    for (int axis = outer - 1; axis >= 0; --axis)
      if (axis != lane) g.at[axis] = i % extent[axis], i /= extent[axis];
    return g;
  }
  [[gnu::noinline]] row_block block_at(row_group const& g, long i) const {
    long const line = (per_line == 1 ? i : i / per_line) * lines_per_block;
    row_block b{line, std::min(lines, line + lines_per_block), 0, extent[lane]};
    if (vertical) b.begin = g.begin, b.end = g.end;
    else if (per_line > 1) {
      b.begin = i % per_line * block_steps * parallel * width;
      b.end = std::min(extent[lane], b.begin + block_steps * parallel * width);
    }
    return b;
  }
  /// Moves a place from line 0 of its group to another one.
  [[gnu::noinline]] void go_to_line(long* at, long line) const {
    for (int axis = line_end - 1; axis >= outer; --axis) at[axis] = line % extent[axis], line /= extent[axis];
  }
  /// Moves a place to the next line, which there is.
  void next_line(long* at) const {
    if (++at[line_end - 1] == extent[line_end - 1]) carry(at);
  }

private:
  [[gnu::noinline]] void carry(long* at) const {
    for (int axis = line_end - 1; at[axis] == extent[axis]; ++at[--axis]) at[axis] = 0;
  }
};

} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::passes
