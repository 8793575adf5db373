// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// An elementwise functor as what one thread does: one element of the result, by its number.
#pragma once
#include <attend/kernels/functor.hpp>
#include <attend/kernels/thrust/survey.hpp>
#include <limits>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wattributes"

namespace attend::kernels::cuda {
inline namespace ATTEND_DETAIL_ISA {
namespace detail {

/// Position number i along the axes [First, First + Count), the last of them running fastest.
template <int First, int Count, class Index, int R>
__attribute__((host, device)) void go_to(point<R>& at, Index i, long const* extent) {
  if constexpr (Count > 0) {
    for (int axis = First + Count - 1; axis > First; --axis) {
      auto const n = static_cast<Index>(extent[axis]);
      at.at[axis] = static_cast<long>(i % n);
      i /= n;
    }
    at.at[First] = static_cast<long>(i);
  }
}

/// Where a result's element lies.
template <class T, int R, int A>
__attribute__((host, device)) T* element_at(strided<T, R> const& out, point<A> const& at) {
  T* p = out.data;
  for (int axis = 0; axis < R; ++axis) p += at.at[axis] * out.stride[axis];
  return p;
}

} // namespace detail

/// out[at] = f(at), computed in N, for element number i.
template <class N, class T, int R, class F>
struct element_writer {
  strided<T, R> out;
  F f;
  bool few; ///< numbers of elements fit 32 bits: divisions are cheap

  __attribute__((host, device)) void operator()(long i) const {
    point<R> at{};
    if (few) detail::go_to<0, R>(at, static_cast<unsigned>(i), out.extent);
    else detail::go_to<0, R>(at, static_cast<unsigned long>(i), out.extent);
    *detail::element_at(out, at) = store_number<T>(value<N>(f, at));
  }
};

/// The writer of all elements of a result, and how many they are; axes that lie behind one another everywhere are one.
template <class N, class T, int R, class F>
element_writer<N, T, R, F> writer_of(strided<T, R> out, F const& f, long& count) {
  if constexpr (R > 1) {
    passes::survey_of<R, F> const s(out.stride, f);
    s.join(out.extent, 0, R - 1, R - 1);
  }
  count = 1;
  for (int axis = 0; axis < R; ++axis) count *= out.extent[axis];
  return {out, f, count <= std::numeric_limits<int>::max()};
}

} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::cuda

#pragma GCC diagnostic pop
