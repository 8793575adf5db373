// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// An elementwise functor written to every position of a result, in one pass without temporaries.
#pragma once
#include <attend/kernels/thrust/in_parallel.hpp>
#include <attend/kernels/thrust/lanes.hpp>
#include <attend/kernels/thrust/tiles.hpp>

namespace attend::kernels::passes {
inline namespace ATTEND_DETAIL_ISA {

namespace detail {
/// Writes f at positions [at[Lane], end) of axis Lane, the others fixed. `out` belongs to at[Lane].
template <class L, int Lane, int R, class T, class F, class... Args>
[[gnu::always_inline]] inline void write_run(T* out, long stride, point<R> at, long end, F const& f,
                                             Args const&... args) {
  constexpr int width = lane_width<L>;
  for (; at.at[Lane] < end; at.at[Lane] += width, out += width * stride) {
    int const count = static_cast<int>(std::min<long>(width, end - at.at[Lane]));
    write<L>(out, stride, count, value<L>(f, place<L, Lane>(at, count), args...));
  }
}
} // namespace detail

/// out[at] = f(at) at every position; axes 0..R-1 of f are out's. Floating parts are computed in N, float or double.
/// out may be any of f's operands whose elements it replaces one for one; its strides are free, even negative.
template <class N, class T, int R, class F>
void map(strided<T, R> out, F const& f) {
  using L = lane_number<N>;
  constexpr int axes = R > 0 ? R : 1, last = axes - 1;
  if constexpr (R == 0) out.extent[0] = 1, out.stride[0] = 1;
  survey_of<axes, F> const s(out.stride, f);
  s.join(out.extent, 0, last, last);
  tiles const grid(axes, out.extent, s);
  in_parallel(grid.total, [&](long i) {
    point<axes> at;
    long begin[axes], end[axes];
    grid.box(i, begin, end);
    std::copy(begin, begin + axes, at.at);
    do {
      T* p = out.data;
      for (int axis = 0; axis < axes; ++axis) p += at.at[axis] * out.stride[axis];
      detail::write_run<L, last>(p, out.stride[last], at, end[last], f);
    } while (next(at.at, begin, end, 0, last));
  });
}

} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::passes
