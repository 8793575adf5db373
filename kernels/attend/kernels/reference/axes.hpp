// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Named axes and positions along them: lists in place, so that nothing here allocates and little is left to compile.
#pragma once
#include <algorithm>
#include <attend/kernels/isa.hpp>
#include <initializer_list>
#include <stdexcept>
#include <string>

namespace attend::kernels::reference::inline ATTEND_DETAIL_ISA {

/// How many axes an array may have.
inline constexpr int most_axes = 16;

/// A list of at most `most_axes` elements, held in place.
template <class T>
class few {
public:
  using value_type = T;
  using iterator = T*;
  using const_iterator = T const*;

  constexpr few() = default;
  constexpr explicit few(std::size_t n, T const& x = {}) {
    while (n-- > 0) push_back(x);
  }
  constexpr few(std::initializer_list<T> list) : few(list.begin(), list.end()) {}
  constexpr few(T const* first, T const* last) {
    while (first != last) push_back(*first++);
  }

  constexpr void push_back(T const& x) {
    if (size_ == most_axes) throw std::length_error("more axes than the reference takes");
    elements_[size_++] = x;
  }
  constexpr std::size_t size() const { return static_cast<std::size_t>(size_); }
  constexpr int rank() const { return size_; }
  constexpr T& operator[](long i) { return elements_[i]; }
  constexpr T const& operator[](long i) const { return elements_[i]; }
  constexpr T* begin() { return elements_; }
  constexpr T* end() { return elements_ + size_; }
  constexpr T const* begin() const { return elements_; }
  constexpr T const* end() const { return elements_ + size_; }
  friend bool operator==(few const& a, few const& b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

private:
  T elements_[most_axes] = {};
  int size_ = 0;
};

/// The name of an axis, by the function that spells it: two are the same where that is the same function.
struct axis_name {
  std::string (*spell)() = nullptr;
  friend bool operator==(axis_name const&, axis_name const&) = default;
};
inline std::string text(axis_name const& a) { return a.spell(); }

using names = few<axis_name>;
using extents = few<long>;

/// Where an axis stands in a list, or -1.
inline int find(names const& list, axis_name const& a) {
  for (int i = 0; i < list.rank(); ++i)
    if (list[i] == a) return i;
  return -1;
}
inline bool contains(names const& list, axis_name const& a) { return find(list, a) >= 0; }
/// The axes of a list that are not in another.
inline names without(names const& list, names const& gone) {
  names kept;
  for (axis_name const& a : list)
    if (!contains(gone, a)) kept.push_back(a);
  return kept;
}
/// One list, then another.
inline names then(names list, names const& more) {
  for (axis_name const& a : more) list.push_back(a);
  return list;
}

inline long volume(extents const& shape) {
  long v = 1;
  for (long const e : shape) v *= e;
  return v;
}
/// Where a position lies, given a step for each of its axes.
inline long offset(extents const& step, extents const& at) {
  long o = 0;
  for (int i = 0; i < at.rank(); ++i) o += step[i] * at[i];
  return o;
}

/// Every position of a shape, row-major: `for (extents const& at : positions(shape))`. The shape must outlive it.
class positions {
public:
  explicit positions(extents const& shape) : shape_(shape) {}

  struct end_of_shape {};
  class iterator {
  public:
    explicit iterator(extents const& shape) : shape_(shape), at_(shape.size()), left_(volume(shape)) {}
    bool operator!=(end_of_shape) const { return left_ > 0; }
    extents const& operator*() const { return at_; }
    void operator++() {
      --left_;
      for (int i = at_.rank(); i-- > 0; at_[i] = 0)
        if (++at_[i] < shape_[i]) return;
    }

  private:
    extents const& shape_;
    extents at_;
    long left_;
  };
  iterator begin() const { return iterator(shape_); }
  static end_of_shape end() { return {}; }

private:
  extents const& shape_;
};
/// Calls f(position) for every position of a shape, in row-major order.
template <class F>
void for_each_position(extents const& shape, F const& f) {
  for (extents const& at : positions(shape)) f(at);
}

/// Axes with their extents.
struct frame {
  names axes;
  extents shape;
};

// What is wrong with an axis.
[[noreturn, gnu::cold]] inline void refuse(char const* before, axis_name const& a, char const* after) {
  throw std::invalid_argument(before + text(a) + after);
}

/// The number of an axis; an exception where it is lacking.
inline int position(frame const& x, axis_name const& a) {
  int const i = find(x.axes, a);
  if (i < 0) refuse("the reference array has no axis ", a, "");
  return i;
}
inline long extent(frame const& x, axis_name const& a) { return x.shape[position(x, a)]; }
/// Checks that there is an extent per axis and no axis twice.
[[gnu::cold]] inline void check(frame const& f) {
  if (f.axes.size() != f.shape.size()) throw std::invalid_argument("a reference array needs one extent per axis");
  for (int i = 0; i < f.axes.rank(); ++i)
    if (find(f.axes, f.axes[i]) != i) refuse("axis ", f.axes[i], " twice");
}

/// Those axes of a frame that are listed, in the order of the list.
[[gnu::cold]] inline frame only(frame const& x, names const& list) {
  frame y;
  for (axis_name const& a : list) y.axes.push_back(a), y.shape.push_back(extent(x, a));
  return y;
}

/// The listed axes, their extents open until other frames meet them.
inline frame open(names const& axes) { return {axes, extents(axes.size(), -1)}; }
/// Takes another frame's extents over; an exception where two disagree.
[[gnu::cold]] inline void meet(frame& f, frame const& x) {
  for (int i = 0; i < x.axes.rank(); ++i) {
    long& n = f.shape[position(f, x.axes[i])];
    if (n >= 0 && n != x.shape[i]) refuse("axis ", x.axes[i], " has two extents");
    n = x.shape[i];
  }
}

/// How something row-major is read while walking the listed axes: a step for each, 0 where it has none.
[[gnu::cold]] inline extents steps(frame const& x, names const& walk) {
  extents step(walk.size());
  long stride = 1;
  for (int i = x.axes.rank(); i-- > 0; stride *= x.shape[i]) {
    int const k = find(walk, x.axes[i]);
    if (k >= 0) step[k] = stride;
  }
  return step;
}

} // namespace attend::kernels::reference::inline ATTEND_DETAIL_ISA
