// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Arrays of any layout and short spellings of functors, for the tests of passes.
#pragma once
#include <algorithm>
#include <attend/kernels/thrust/map.hpp>
#include <attend/kernels/thrust/rows.hpp>
#include <gtest/gtest.h>
#include <numeric>
#include <random>
#include <vector>

namespace attend::kernels::testing_passes {

/// Op of functors.
template <class Op, class... X>
apply<Op, X...> call(X... x) {
  return {{{x}...}};
}
template <class Op, class F>
passes::stage<Op, F> staged(F f) {
  return {f};
}

/// How an array lies in memory.
enum class layout { contiguous, first_fastest, padded, reversed, shuffled };
inline constexpr layout layouts[] = {layout::contiguous, layout::first_fastest, layout::padded, layout::reversed,
                                     layout::shuffled};

/// Memory of R axes; what lies between elements keeps `guard`.
template <class T, int R>
struct array {
  std::vector<T> memory; // vector<bool> is not memory: tests use array<bool> through `flags`
  strided<T, R> view;
  T guard;

  array(std::vector<long> const& extent, layout how, T guard) : guard(guard) {
    std::vector<int> order(R); // fastest first
    for (int i = 0; i < R; ++i) order[i] = how == layout::first_fastest ? i : R - 1 - i;
    std::mt19937 random(static_cast<unsigned>(R));
    if (how == layout::shuffled) std::shuffle(order.begin(), order.end(), random);
    long size = how == layout::shuffled ? 2 : 1, origin = 0;
    for (int axis : order) {
      view.extent[axis] = extent[axis];
      view.stride[axis] = size;
      size *= std::max(1l, extent[axis]);
      if (how == layout::padded || how == layout::shuffled) size += 3;
      bool const negative = how == layout::reversed || (how == layout::shuffled && axis % 2);
      if (negative && extent[axis] > 0) {
        origin += view.stride[axis] * (extent[axis] - 1);
        view.stride[axis] = -view.stride[axis];
      }
    }
    if (R == 0) view.extent[0] = view.stride[0] = 0;
    memory.assign(static_cast<std::size_t>(size), guard);
    view.data = memory.data() + origin;
  }
  T& at(long const* p) {
    long offset = 0;
    for (int i = 0; i < R; ++i) offset += p[i] * view.stride[i];
    return view.data[offset];
  }
};

/// Calls f(position) for every position of the extents.
template <class F>
void everywhere(std::vector<long> const& extent, F const& f) {
  long count = 1;
  for (long e : extent) count *= e;
  std::vector<long> at(extent.size() + 1);
  for (long i = 0; i < count; ++i) {
    long rest = i;
    for (std::size_t axis = extent.size(); axis-- > 0;) at[axis] = rest % extent[axis], rest /= extent[axis];
    f(static_cast<long const*>(at.data()));
  }
}

/// The functor that reads axes P of a view whose axes they are, in that order.
template <int... P, class T, int R>
element<T, P...> read(strided<T, R> const& v) {
  static_assert(sizeof...(P) == R);
  element<T, P...> e{v.data, {}};
  for (int i = 0; i < R; ++i) e.stride[i] = v.stride[i];
  return e;
}

/// Half the distance between neighbours around 1, and the least positive number's half.
template <class T>
inline constexpr double unit = std::is_same_v<T, double>  ? 0x1p-53
                               : std::is_same_v<T, float> ? 0x1p-24
                               : std::is_same_v<T, f16>   ? 0x1p-11
                                                          : 0x1p-8;
template <class T>
inline constexpr double tiny = std::is_same_v<T, double> ? 0x1p-1074
                               : std::is_same_v<T, f16>  ? 0x1p-24
                                                         : 0x1p-133;
template <class T>
double widened(T x) {
  if constexpr (half_precision<T>) return static_cast<double>(load_number<float>(x));
  else return static_cast<double>(x);
}

/// Additions one after another in a sum of n terms along `inner` of the passes, at most: rows.hpp's bound.
inline double depth(double n) { return 64 + 2 + 4 + std::ceil(std::log2(std::max(1.0, n))); }

} // namespace attend::kernels::testing_passes
