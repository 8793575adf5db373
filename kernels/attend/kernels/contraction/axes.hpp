// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From a problem's axes to those of a product: every axis is a batch, a row, a column or summed over, and axes of one
// kind that lie behind one another in every operand become one.
#pragma once
#include <algorithm>
#include <attend/kernels/contraction/problem.hpp>
#include <cstdlib>
#include <utility>

namespace attend::kernels::contraction::inline ATTEND_DETAIL_ISA::detail {

// One axis with its stride in every operand.
struct axis {
  std::int64_t extent = 1;
  std::int64_t x = 0, y = 0, out = 0, bias = 0, residual = 0;
};
using stride_of = std::int64_t axis::*;

// A few axes, the last one running fastest; an index into all of them counts through them in that order.
struct axis_list {
  std::array<axis, max_axes> at{};
  int count = 0;

  axis* begin() { return at.data(); }
  axis* end() { return at.data() + count; }
  axis const* begin() const { return at.data(); }
  axis const* end() const { return at.data() + count; }
  axis const& last() const { return at[count - 1]; }
  void add(axis const& a) { at[count++] = a; }
  [[gnu::cold]] axis take(int i) {
    axis const taken = at[i];
    std::copy(begin() + i + 1, end(), begin() + i);
    --count;
    return taken;
  }
  [[gnu::noinline]] std::int64_t size() const {
    std::int64_t n = 1;
    for (auto const& a : *this) n *= a.extent;
    return n;
  }
  // The axis all of them would be for one operand, if that operand's strides allow it.
  [[gnu::cold]] bool is_one(stride_of s) const {
    for (int i = 0; i + 1 < count; ++i)
      if (at[i].*s != at[i + 1].*s * at[i + 1].extent) return false;
    return true;
  }
  // The offset of an index in the operand whose strides these are.
  [[gnu::noinline]] std::int64_t offset(std::int64_t index, stride_of s) const {
    std::int64_t sum = 0;
    for (int i = count - 1; i > 0; --i) {
      sum += index % at[i].extent * (at[i].*s);
      index /= at[i].extent;
    }
    return count > 0 ? sum + index * (at[0].*s) : 0;
  }
  [[gnu::cold]] void sort(stride_of s) {
    // by insertion: a dozen axes at most, and g++ 12 warns of its own std::sort on an array this short
    for (int i = 1; i < count; ++i)
      for (int k = i; k > 0 && std::abs(at[k].*s) > std::abs(at[k - 1].*s); --k) std::swap(at[k], at[k - 1]);
  }
};

// All axes of a problem, by kind. x and y have changed places where that makes out's columns lie together.
struct sorted_axes {
  axis_list batches, rows, columns, depths;
  bool swapped = false;
  bool empty = false;          // nothing to write
  bool nothing_to_sum = false; // every sum is 0
};

[[gnu::cold]] inline void merge(axis_list& list) {
  auto const behind = [](axis const& a, axis const& b) { // b runs through what a steps over, in every operand
    for (stride_of s : {&axis::x, &axis::y, &axis::out, &axis::bias, &axis::residual})
      if (a.*s != b.*s * b.extent) return false;
    return true;
  };
  for (int i = 0; i < list.count; ++i)
    for (int j = 0; j < list.count; ++j)
      if (i != j && behind(list.at[i], list.at[j])) {
        list.at[j].extent *= list.at[i].extent;
        list.take(i);
        i = -1; // begin again
        break;
      }
}

[[gnu::cold]] inline sorted_axes sort_axes(problem const& p) {
  sorted_axes s;
  for (int i = 0; i < p.axes; ++i) {
    axis const a{p.extents[i],
                 p.x.strides[i],
                 p.y.strides[i],
                 p.out.strides[i],
                 p.finish.bias.data ? p.finish.bias.strides[i] : 0,
                 p.finish.residual.data ? p.finish.residual.strides[i] : 0};
    if (a.extent == 0) (a.out != 0 ? s.empty : s.nothing_to_sum) = true;
    if (a.extent <= 1) continue;
    if (a.out == 0) s.depths.add(a);
    else if (a.x != 0 && a.y != 0) s.batches.add(a);
    else (a.y == 0 ? s.rows : s.columns).add(a); // along what neither varies all rows are the same
  }
  for (axis_list* list : {&s.batches, &s.rows, &s.columns}) {
    list->sort(&axis::out);
    merge(*list);
  }
  s.depths.sort(&axis::x);
  merge(s.depths);
  if (!s.depths.is_one(&axis::x) && !s.depths.is_one(&axis::y)) s.depths.sort(&axis::y);
  if (std::any_of(s.rows.begin(), s.rows.end(), [](axis const& a) { return a.out == 1; })) {
    std::swap(s.rows, s.columns);
    for (axis_list* list : {&s.batches, &s.rows, &s.columns, &s.depths})
      for (axis& a : *list) std::swap(a.x, a.y);
    s.swapped = true;
  }
  return s;
}

} // namespace attend::kernels::contraction::inline ATTEND_DETAIL_ISA::detail
