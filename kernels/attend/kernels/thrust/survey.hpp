// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a functor reads, as data: the strides of its leaves, from which the passes choose their order at run time.
// Filled by a few templates; what is decided from it is plain code, compiled once.
#pragma once
#include <algorithm>
#include <attend/kernels/cpu/isa.hpp>
#include <attend/kernels/functor.hpp>

namespace attend::kernels::passes {
inline namespace ATTEND_DETAIL_ISA {

/// The most axes a pass takes.
inline constexpr int max_axes = 16;

/// How one leaf, or the result, moves through memory: its stride along each axis, whether it differs along it as its type
/// says, and whether a look-up makes it jump.
struct access {
  long stride[max_axes] = {};
  bool differs[max_axes] = {}, jumps[max_axes] = {};
};

/// All leaves of some functors.
struct survey {
  access* leaf;
  int leaves = 0;
  bool counted[max_axes] = {}; // the position along the axis is itself a value

  template <int... P>
  access& add(long const* stride) {
    access& a = leaf[leaves++] = {};
    int i = 0;
    ((a.stride[P] += stride[i++], a.differs[P] = true), ...);
    return static_cast<void>(stride), static_cast<void>(i), a;
  }

  /// Whether positions of `axis` may follow those of `lane` as one longer axis, lane having that extent.
  bool joins(int axis, int lane, long extent) const {
    if (counted[axis] || counted[lane]) return false;
    for (int i = 0; i < leaves; ++i)
      if (leaf[i].stride[axis] != extent * leaf[i].stride[lane]) return false;
    return true;
  }
  /// Joins axes of [first, last) to the axis `lane` wherever every leaf lies so that it can: longer runs, same results.
  [[gnu::cold]] void join(long* extent, int first, int last, int lane) const {
    for (int axis = last - 1; axis >= first; --axis)
      if (axis != lane && extent[axis] != 1 && joins(axis, lane, extent[lane])) {
        extent[lane] *= extent[axis];
        extent[axis] = 1;
        axis = last; // the longer axis may have new neighbours
      }
  }
  /// Whether every leaf is either fixed along the axis or contiguous.
  [[gnu::cold]] bool contiguous(int axis) const {
    for (int i = 0; i < leaves; ++i)
      if (leaf[i].jumps[axis] || (leaf[i].stride[axis] != 0 && leaf[i].stride[axis] != 1)) return false;
    return true;
  }
  /// Whether every leaf that differs along the axis lies side by side there.
  [[gnu::cold]] bool dense(int axis) const {
    for (int i = 0; i < leaves; ++i)
      if (leaf[i].jumps[axis] || (leaf[i].differs[axis] && leaf[i].stride[axis] != 1)) return false;
    return true;
  }
  /// Cost of an element when vectors of `width` lie along the axis: 1 a contiguous leaf, 8 a scattered one.
  /// Leaves before `first_leaf` are left out.
  [[gnu::cold]] double cost(int axis, long extent, int width, int first_leaf) const {
    double sum = 1;
    for (int i = first_leaf; i < leaves; ++i)
      sum += leaf[i].jumps[axis] ? 8 : leaf[i].stride[axis] == 0 ? 0.25 : leaf[i].stride[axis] == 1 ? 1 : 8;
    long const steps = (extent + width - 1) / width;
    return extent > 0 ? sum * static_cast<double>(steps * width) / static_cast<double>(extent) : sum;
  }
};

namespace detail {

template <class F>
inline constexpr int leaf_count = 0;
template <class F>
inline constexpr int leaf_count<F const> = leaf_count<F>;
template <class T, int... P>
inline constexpr int leaf_count<element<T, P...>> = 1;
template <class T, class Ids, int... P>
inline constexpr int leaf_count<lookup<T, Ids, P...>> = 1 + leaf_count<Ids>;
template <class Op, class... X>
inline constexpr int leaf_count<apply<Op, X...>> = (0 + ... + leaf_count<X>);

// Whether the functor differs along an axis, as its type says: what does not is one value for all lanes.
template <class F>
struct differs {
  static constexpr bool along(int) { return false; }
};
template <class F>
struct differs<F const> : differs<F> {};
template <int P>
struct differs<coordinate<P>> {
  static constexpr bool along(int axis) { return axis == P; }
};
template <class T, int... P>
struct differs<element<T, P...>> {
  static constexpr bool along(int axis) { return (false || ... || (axis == P)); }
};
template <class T, class Ids, int... P>
struct differs<lookup<T, Ids, P...>> {
  static constexpr bool along(int axis) { return differs<Ids>::along(axis) || (false || ... || (axis == P)); }
};
template <class Op, class... X>
struct differs<apply<Op, X...>> {
  static constexpr bool along(int axis) { return (false || ... || differs<X>::along(axis)); }
};

template <class F>
void look(survey&, F const&) {}
template <int P>
void look(survey&, coordinate<P>);
template <class T, int... P>
void look(survey&, element<T, P...> const&);
template <class T, class Ids, int... P>
void look(survey&, lookup<T, Ids, P...> const&);
template <class Op, class... X>
void look(survey&, apply<Op, X...> const&);

template <int P>
void look(survey& s, coordinate<P>) {
  s.counted[P] = true;
}
template <class T, int... P>
void look(survey& s, element<T, P...> const& e) {
  s.add<P...>(e.stride);
}
template <class T, class Ids, int... P>
void look(survey& s, lookup<T, Ids, P...> const& e) {
  access& a = s.add<P...>(e.stride);
  for (int axis = 0; axis < max_axes; ++axis) a.jumps[axis] = differs<Ids>::along(axis);
  look(s, e.ids);
}
template <class Op, class... X>
void look(survey& s, apply<Op, X...> const& f) {
  with_values(f.x, [&](X const&... x) { (look(s, x), ...); });
}

} // namespace detail

/// A survey of a result (or none: R = 0) and the functors F, with the memory it needs.
template <int R, class... F>
struct survey_of : survey {
  access memory[1 + (0 + ... + detail::leaf_count<F>)];

  survey_of(long const* out_stride, F const&... f) : survey{memory} {
    static_assert(R <= max_axes, "a pass takes at most 16 axes");
    if constexpr (R > 0) {
      access& a = leaf[leaves++] = {};
      std::copy(out_stride, out_stride + R, a.stride);
      std::fill_n(a.differs, R, true);
    }
    (detail::look(*this, f), ...);
  }
  survey_of(survey_of const&) = delete;
};

} // namespace ATTEND_DETAIL_ISA
} // namespace attend::kernels::passes
