// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The positions of a pass cut into boxes, one a task: long runs along the last axis where memory is contiguous,
// squares where a leaf or the result lies across it.
#pragma once
#include <attend/kernels/thrust/survey.hpp>
#include <cstdlib>
#include <utility>

namespace attend::kernels::passes {
inline namespace ATTEND_DETAIL_ISA {

/// Moves to the next position of the axes [first, last) within [begin, end), the last axis fastest; false after it.
[[gnu::noinline]] inline bool next(long* at, long const* begin, long const* end, int first, int last) {
  for (int axis = last - 1; axis >= first; --axis) {
    if (++at[axis] < end[axis]) return true;
    at[axis] = begin[axis];
  }
  return false;
}

/// A grid of boxes over the positions of R axes.
struct tiles {
  /// Elements of a box: enough to hide the start of a task, few enough for a second-level cache.
  static constexpr long elements = 16384;
  /// Edge of a square, where lines of memory cross the last axis.
  static constexpr long edge = 64;

  int axes;
  int order[max_axes]; // of axes: the fastest first
  long extent[max_axes], size[max_axes], count[max_axes], total;

  [[gnu::cold]] tiles(int axes, long const* extents, survey const& s) : axes(axes), total(1) {
    std::copy(extents, extents + axes, extent);
    int const last = axes - 1;
    bool const straight = s.contiguous(last);
    access const* crossing = s.leaf; // the leaf that decides which axis comes second
    for (int i = 0; i < s.leaves; ++i)
      if (!straight && s.leaf[i].stride[last] != 0 && s.leaf[i].stride[last] != 1) crossing = s.leaf + i;
    for (int i = 0; i < axes; ++i) order[i] = last - i;
    for (int i = 2; i < axes; ++i) // by insertion: a few axes
      for (int k = i; k > 1 && rank(crossing, order[k]) < rank(crossing, order[k - 1]); --k)
        std::swap(order[k], order[k - 1]);
    long room = elements;
    for (int i = 0; i < axes; ++i) {
      int const axis = order[i];
      long const most = straight || i > 1 ? room : std::min(room, edge);
      size[axis] = std::max(1l, std::min(extent[axis], most));
      room /= size[axis];
      count[axis] = (extent[axis] + size[axis] - 1) / size[axis];
      total *= count[axis];
    }
  }
  /// The positions [begin, end) of box i.
  [[gnu::noinline]] void box(long i, long* begin, long* end) const {
    for (int k = 0; k < axes; ++k) {
      int const axis = order[k];
      begin[axis] = i % count[axis] * size[axis];
      end[axis] = std::min(extent[axis], begin[axis] + size[axis]);
      i /= count[axis];
    }
  }

private:
  static unsigned long rank(access const* a, int axis) {
    long const stride = std::abs(a->stride[axis]);
    return stride == 0 ? ~0ul : static_cast<unsigned long>(stride);
  }
};

} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::passes
