// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The reference machine: dense arrays of doubles with named axes, each element with a bound on the error a sound
// implementation may make. Naive on purpose: every operation copies, every view is a gather. Nothing here is a
// template and what an operation does comes as a plain function, so that a program compiles each of them once.
#pragma once
#include <attend/kernels/reference/axes.hpp>
#include <attend/kernels/reference/random.hpp>
#include <attend/kernels/reference/rows.hpp>
#include <vector>

namespace attend::kernels::reference::inline ATTEND_DETAIL_ISA {

/// Values and error bounds, row-major over the axes in their order.
struct array : frame {
  std::vector<double> values, bound;

  long size() const { return static_cast<long>(values.size()); }
  bounded operator[](long i) const { return {values.data()[i], bound.data()[i]}; }
  void set(long i, bounded const& x) {
    values.data()[i] = x.value;
    bound.data()[i] = x.bound;
  }
  /// The n elements from number `first` on.
  row from(long first, long n) const { return {values.data() + first, bound.data() + first, n}; }
};

/// An array of certain zeros.
[[gnu::cold]] inline array zeros(frame const& f) {
  check(f);
  auto const n = static_cast<std::size_t>(volume(f.shape));
  return {f, std::vector<double>(n), std::vector<double>(n)};
}

/// One number along any axes.
[[gnu::cold]] inline array filled(frame const& f, bounded const& x) {
  array y = zeros(f);
  for (long i = 0; i < y.size(); ++i) y.set(i, x);
  return y;
}
/// The positions 0, 1, ... along an axis.
[[gnu::cold]] inline array index(axis_name const& a, long n) {
  array y = zeros({{a}, {n}});
  for (long i = 0; i < n; ++i) y.set(i, {static_cast<double>(i), 0});
  return y;
}
/// Elements that lie anywhere, `step` telling where, each certain and as `element(data, offset)` reads it.
[[gnu::cold]] inline array read(frame const& f, extents const& step, void const* data,
                                double (*element)(void const*, long)) {
  array y = zeros(f);
  long i = 0;
  for (extents const& at : positions(f.shape)) y.set(i++, {element(data, offset(step, at)), 0});
  return y;
}
/// Writes the values to where `step` tells, each by `element(data, offset, value)`.
[[gnu::cold]] inline void write(array const& x, extents const& step, void* data, void (*element)(void*, long, double)) {
  long i = 0;
  for (extents const& at : positions(x.shape)) element(data, offset(step, at), x[i++].value);
}

/// What an elementwise operation in arithmetic p makes of its operands' elements at one position.
using operation = bounded (*)(bounded const* x, precision const& p);

/// f(element of each operand), at most three of them, broadcast by name; the axes of the result are those listed.
[[gnu::cold]] inline array map(names const& axes, std::initializer_list<array> operands, operation f,
                               precision const& p) {
  frame all = open(axes);
  for (array const& x : operands) meet(all, x);
  extents step[3];
  for (std::size_t k = 0; k < operands.size(); ++k) step[k] = steps(operands.begin()[k], axes);
  array y = zeros(all);
  bounded at_one[3];
  long i = 0;
  for (extents const& at : positions(y.shape)) {
    for (std::size_t k = 0; k < operands.size(); ++k) at_one[k] = operands.begin()[k][offset(step[k], at)];
    y.set(i++, f(at_one, p));
  }
  return y;
}

/// Some elements of x, `first` and `step` telling which.
[[gnu::cold]] inline array view(array const& x, frame const& f, extents const& step, long first = 0) {
  array y = zeros(f);
  long i = 0;
  for (extents const& at : positions(f.shape)) y.set(i++, x[first + offset(step, at)]);
  return y;
}
/// The same elements with the axes in another order.
[[gnu::cold]] inline array arrange(array const& x, names const& order) {
  if (order == x.axes) return x;
  if (order.size() != x.axes.size()) throw std::invalid_argument("a new order must name every axis");
  return view(x, only(x, order), steps(x, order));
}
inline array rename(array x, axis_name const& from, axis_name const& to) {
  x.axes[position(x, from)] = to;
  check(x);
  return x;
}
/// One axis becomes several, the last running fastest.
[[gnu::cold]] inline array split(array x, axis_name const& from, frame const& to) {
  if (volume(to.shape) != extent(x, from)) throw std::invalid_argument("a split must keep the extent");
  frame f;
  for (int i = 0; i < x.axes.rank(); ++i) {
    frame const here = x.axes[i] == from ? to : frame{{x.axes[i]}, {x.shape[i]}};
    for (int k = 0; k < here.axes.rank(); ++k) f.axes.push_back(here.axes[k]), f.shape.push_back(here.shape[k]);
  }
  check(f);
  static_cast<frame&>(x) = f;
  return x;
}
/// Several axes become one, the last named running fastest; the axes of the result are those listed.
[[gnu::cold]] inline array merge(names const& axes, array const& x, names const& from, axis_name const& to) {
  names order;
  frame f;
  for (axis_name const& a : axes) {
    order = then(order, a == to ? from : names{a});
    f.axes.push_back(a);
    f.shape.push_back(a == to ? volume(only(x, from).shape) : extent(x, a));
  }
  array y = arrange(x, order);
  check(f);
  static_cast<frame&>(y) = f;
  return y;
}
/// Positions first, first + step, ... of an axis: `count` of them.
[[gnu::cold]] inline array slice(array const& x, axis_name const& a, long first, long count, long step = 1) {
  int const k = position(x, a);
  if (count < 0 ||
      (count > 0 && (first < 0 || first + (count - 1) * step >= x.shape[k] || first + (count - 1) * step < 0)))
    throw std::out_of_range("a slice of axis " + text(a) + " leaves it");
  frame f = x;
  f.shape[k] = count;
  extents strides = steps(x, x.axes);
  long const start = first * strides[k];
  strides[k] *= step;
  return view(x, f, strides, start);
}
/// One position of an axis, which goes.
inline array at(array const& x, axis_name const& a, long i) {
  array y = slice(x, a, i, 1);
  static_cast<frame&>(y) = only(y, without(y.axes, {a}));
  return y;
}

/// The table's rows that ids name along axis a, broadcast by name; the axes of the result are those listed.
[[gnu::cold]] inline array gather(names const& axes, array const& table, axis_name const& a, array const& ids) {
  frame all = open(axes);
  meet(all, ids);
  meet(all, only(table, without(table.axes, {a})));
  long const height = extent(table, a), stride = steps(table, {a})[0];
  extents const of_table = steps(table, axes), of_ids = steps(ids, axes);
  array y = zeros(all);
  long i = 0;
  for (extents const& at : positions(y.shape)) {
    bounded const id = ids[offset(of_ids, at)];
    if (id.value < 0 || id.value >= static_cast<double>(height)) throw std::out_of_range("an id outside the table");
    bounded const x = table[offset(of_table, at) + static_cast<long>(id.value) * stride];
    y.set(i++, certain(id) ? x : undecided_at(x.value));
  }
  return y;
}

/// x with the listed axes last, so that each row over them lies together.
inline array rows(array const& x, names const& over) { return arrange(x, then(without(x.axes, over), over)); }
/// The length of a row.
inline long length(array const& x, names const& over) { return volume(only(x, over).shape); }

/// What a reduction in arithmetic p makes of a row.
using row_operation = bounded (*)(row const& x, precision const& p);

/// f(row) for every row over the listed axes, which go.
[[gnu::cold]] inline array reduce(array const& x, names const& over, row_operation f, precision const& p) {
  array const r = rows(x, over);
  long const n = length(x, over);
  array y = zeros(only(x, without(x.axes, over)));
  for (long i = 0; i < y.size(); ++i) y.set(i, f(r.from(i * n, n), p));
  return y;
}
/// Softmax of every row over the listed axes.
[[gnu::cold]] inline array softmax(array const& x, names const& over, empty_policy policy, precision const& p) {
  array y = rows(x, over);
  long const n = length(x, over);
  for (long first = 0; first < y.size(); first += n) {
    exponentials const e = exponentials_of(y.from(first, n), p);
    for (long i = first; i < first + n; ++i) y.set(i, weight(e, y[i], policy, p));
  }
  return arrange(y, x.axes);
}

/// The sum over the named axes of the product, everything else by name, accumulated in arithmetic p; the axes of the
/// result are those listed.
[[gnu::cold]] inline array contract(names const& axes, array const& x, array const& y, names const& over,
                                    precision const& p) {
  for (axis_name const& a : over)
    if (!contains(x.axes, a) || !contains(y.axes, a)) refuse("contraction over ", a, ", which one side lacks");
  frame all = open(then(axes, over));
  meet(all, x);
  meet(all, y);
  array const left = rows(x, over), right = rows(y, over);
  extents const of_left = steps(left, axes), of_right = steps(right, axes);
  long const n = length(x, over);
  array z = zeros(only(all, axes));
  long i = 0;
  for (extents const& at : positions(z.shape))
    z.set(i++, dot(left.from(offset(of_left, at), n), right.from(offset(of_right, at), n), p));
  return z;
}

/// Each element kept with probability 1 - p and scaled by 1 / (1 - p), else 0, whatever it was. An element's draw is its
/// row-major position over the axes in their order.
[[gnu::cold]] inline array dropout(array x, double p, std::uint64_t seed, precision const& in) {
  for (long i = 0; i < x.size(); ++i) {
    bool const kept = dropout_keeps(p, seed, static_cast<std::uint64_t>(i));
    x.set(i, kept ? mul(x[i], p == 0 ? bounded{1, 0} : rounded({1 / (1 - p), 0}, in), in) : bounded{0, 0});
  }
  return x;
}

/// Every element rounded once more, as an implementation may that stores it in this format.
[[gnu::cold]] inline array stored(array x, precision const& p) {
  for (long i = 0; i < x.size(); ++i) x.set(i, correctly_rounded(x[i], p));
  return x;
}

} // namespace attend::kernels::reference::inline ATTEND_DETAIL_ISA
