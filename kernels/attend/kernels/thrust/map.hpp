// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// An elementwise functor written to every position of a result, in one pass without temporaries.
#pragma once
#include <attend/kernels/thrust/in_parallel.hpp>
#include <attend/kernels/thrust/lanes.hpp>
#include <attend/kernels/thrust/tiles.hpp>
#include <cstring>
#include <utility>

namespace attend::kernels::passes {
inline namespace ATTEND_DETAIL_ISA {

namespace detail {

// A run that is copied as it lies: an element, or a row of a table whose id is the same all along the run.
template <class F, class T, int Lane>
inline constexpr bool is_copy = false;
template <class T, int Lane, int... P>
inline constexpr bool is_copy<element<T, P...>, T, Lane> = (false || ... || (P == Lane));
template <class T, int Lane, class Ids, int... P>
inline constexpr bool is_copy<lookup<T, Ids, P...>, T, Lane> = (false || ... || (P == Lane)) && !differs<Ids>::along(Lane);

/// Where a leaf lies at a place, and its stride along axis Lane.
template <int Lane, class T, int R, int... P>
std::pair<T const*, long> lies(element<T, P...> const& e, point<R> const& at) {
  T const* p = e.data;
  long step = 0;
  int i = 0;
  ((p += e.stride[i] * at.at[P], step += P == Lane ? e.stride[i] : 0, ++i), ...);
  return {p, step};
}
template <int Lane, class T, int R, class Ids, int... P>
std::pair<T const*, long> lies(lookup<T, Ids, P...> const& e, point<R> const& at) {
  auto [p, step] = lies<Lane>(element<T, P...>{e.data, {}}, at);
  int i = 0;
  ((p += e.stride[i] * at.at[P], step += P == Lane ? e.stride[i] : 0, ++i), ...);
  return {p + static_cast<long>(value<double>(e.ids, at)) * e.id_stride, step};
}

/// Writes f at positions [at[Lane], end) of axis Lane, the others fixed. `out` belongs to at[Lane].
template <class L, int Lane, int R, class T, class F, class... Args>
[[gnu::always_inline]] inline void write_run(T* out, long stride, point<R> at, long end, F const& f,
                                             Args const&... args) {
  constexpr int width = lane_width<L>;
  if constexpr (is_copy<F, T, Lane>)
    if (auto const [p, step] = lies<Lane>(f, at); step == 1 && stride == 1) {
      std::memmove(static_cast<void*>(out), p, sizeof(T) * static_cast<std::size_t>(end - at.at[Lane]));
      return;
    }
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
