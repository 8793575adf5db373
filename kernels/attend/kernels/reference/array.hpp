// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The reference machine: dense arrays of doubles with named axes, each element with a bound on the error a sound
// implementation may make. Naive on purpose: every operation copies, every view is a gather.
#pragma once
#include <attend/kernels/reference/random.hpp>
#include <attend/kernels/reference/rows.hpp>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>

namespace attend::kernels::reference {

/// The name of an axis: a word and its primes.
struct axis_name {
  std::string word;
  int primes = 0;
  friend auto operator<=>(axis_name const&, axis_name const&) = default;
  friend bool operator==(axis_name const&, axis_name const&) = default;
};
inline std::string text(axis_name const& a) { return a.word + std::string(static_cast<std::size_t>(a.primes), '\''); }

using names = std::vector<axis_name>;
using extents = std::vector<long>;

/// Values and error bounds, row-major over the axes in their order.
struct array {
  names axes;
  extents shape;
  std::vector<double> values, bound;

  long rank() const { return static_cast<long>(axes.size()); }
  long size() const { return static_cast<long>(values.size()); }
  bounded operator[](long i) const { return {values[static_cast<std::size_t>(i)], bound[static_cast<std::size_t>(i)]}; }
  void set(long i, bounded const& x) {
    values[static_cast<std::size_t>(i)] = x.value;
    bound[static_cast<std::size_t>(i)] = x.bound;
  }
};

inline bool contains(names const& list, axis_name const& a) { return std::find(list.begin(), list.end(), a) != list.end(); }
/// The number of an axis; an exception where the array lacks it.
inline long position(array const& x, axis_name const& a) {
  auto const found = std::find(x.axes.begin(), x.axes.end(), a);
  if (found == x.axes.end()) throw std::invalid_argument("the reference array has no axis " + text(a));
  return found - x.axes.begin();
}
inline long extent(array const& x, axis_name const& a) { return x.shape[static_cast<std::size_t>(position(x, a))]; }
inline long volume(extents const& shape) {
  long v = 1;
  for (long const e : shape) v *= e;
  return v;
}

/// An array of certain zeros.
inline array zeros(names axes, extents shape) {
  if (axes.size() != shape.size()) throw std::invalid_argument("a reference array needs one extent per axis");
  for (std::size_t i = 0; i < axes.size(); ++i)
    if (std::count(axes.begin(), axes.end(), axes[i]) != 1) throw std::invalid_argument("axis " + text(axes[i]) + " twice");
  auto const n = static_cast<std::size_t>(volume(shape));
  return {std::move(axes), std::move(shape), std::vector<double>(n), std::vector<double>(n)};
}

// Operations take what they do as std::function: slower by an indirect call, but compiled once.

/// Calls f(position) for every position of a shape, in row-major order.
inline void for_each_position(extents const& shape, std::function<void(extents const&)> const& f) {
  if (volume(shape) == 0) return;
  extents at(shape.size(), 0);
  for (;;) {
    f(at);
    std::size_t i = shape.size();
    while (i > 0 && ++at[i - 1] == shape[i - 1]) at[--i] = 0;
    if (i == 0) return;
  }
}

/// The array whose element at a position is f(position).
inline array generate(names axes, extents shape, std::function<bounded(extents const&)> const& f) {
  array x = zeros(std::move(axes), std::move(shape));
  long i = 0;
  for_each_position(x.shape, [&](extents const& at) { x.set(i++, f(at)); });
  return x;
}

/// How one array is read while walking the axes of another: a step per axis of the walk, 0 where it has none.
inline extents steps(array const& x, names const& walk) {
  extents step(walk.size(), 0);
  long stride = 1;
  for (std::size_t i = x.axes.size(); i-- > 0; stride *= x.shape[i]) {
    auto const found = std::find(walk.begin(), walk.end(), x.axes[i]);
    if (found != walk.end()) step[static_cast<std::size_t>(found - walk.begin())] = stride;
  }
  return step;
}
inline long offset(extents const& step, extents const& at) {
  long o = 0;
  for (std::size_t i = 0; i < at.size(); ++i) o += step[i] * at[i];
  return o;
}

/// One number without axes.
inline array scalar(bounded const& x) {
  array y = zeros({}, {});
  y.set(0, x);
  return y;
}
/// The positions 0, 1, ... along an axis.
inline array index(axis_name const& a, long n) {
  return generate({a}, {n}, [](extents const& at) { return bounded{static_cast<double>(at[0]), 0}; });
}

/// The axes of several arrays, each once, in order of appearance; their extents must agree.
inline std::pair<names, extents> joined(std::vector<array const*> const& arrays) {
  names axes;
  extents shape;
  for (array const* x : arrays)
    for (std::size_t i = 0; i < x->axes.size(); ++i) {
      auto const found = std::find(axes.begin(), axes.end(), x->axes[i]);
      if (found == axes.end()) {
        axes.push_back(x->axes[i]);
        shape.push_back(x->shape[i]);
      } else if (shape[static_cast<std::size_t>(found - axes.begin())] != x->shape[i])
        throw std::invalid_argument("axis " + text(x->axes[i]) + " has two extents");
    }
  return {axes, shape};
}

/// f(element of each operand), broadcast by name.
inline array map_all(std::function<bounded(bounded const*)> const& f, std::vector<array const*> const& x) {
  auto const [axes, shape] = joined(x);
  std::vector<extents> step;
  for (array const* a : x) step.push_back(steps(*a, axes));
  std::vector<bounded> operands(x.size());
  return generate(axes, shape, [&](extents const& at) {
    for (std::size_t i = 0; i < x.size(); ++i) operands[i] = (*x[i])[offset(step[i], at)];
    return f(operands.data());
  });
}
template <class F, class... Arrays>
array map(F const& f, Arrays const&... x) {
  return map_all(
      [&](bounded const* e) {
        return [&]<std::size_t... I>(std::index_sequence<I...>) { return bounded{f(e[I]...)}; }(std::index_sequence_for<Arrays...>{});
      },
      {&x...});
}

/// The same elements with the axes in another order.
inline array arrange(array const& x, names const& order) {
  extents shape;
  for (axis_name const& a : order) shape.push_back(extent(x, a));
  if (order.size() != x.axes.size()) throw std::invalid_argument("a new order must name every axis");
  extents const step = steps(x, order);
  return generate(order, shape, [&](extents const& at) { return x[offset(step, at)]; });
}
inline array rename(array x, axis_name const& from, axis_name const& to) {
  auto const i = static_cast<std::size_t>(position(x, from));
  if (from != to && contains(x.axes, to)) throw std::invalid_argument("axis " + text(to) + " twice");
  x.axes[i] = to;
  return x;
}
/// One axis becomes several, the last running fastest.
inline array split(array x, axis_name const& from, names const& to, extents const& shape) {
  long const i = position(x, from);
  if (volume(shape) != x.shape[static_cast<std::size_t>(i)]) throw std::invalid_argument("a split must keep the extent");
  x.axes.erase(x.axes.begin() + i);
  x.axes.insert(x.axes.begin() + i, to.begin(), to.end());
  x.shape.erase(x.shape.begin() + i);
  x.shape.insert(x.shape.begin() + i, shape.begin(), shape.end());
  static_cast<void>(zeros(x.axes, x.shape)); // no axis twice
  return x;
}
/// Several axes become one, the last named running fastest; it stands where the last of them stood.
inline array merge(array const& x, names const& from, axis_name const& to) {
  names order, axes;
  extents shape;
  long merged = 1;
  for (axis_name const& a : from) merged *= extent(x, a);
  long last = 0;
  for (axis_name const& a : from) last = std::max(last, position(x, a));
  for (long i = 0; i < x.rank(); ++i) {
    auto const k = static_cast<std::size_t>(i);
    if (i == last) {
      order.insert(order.end(), from.begin(), from.end());
      axes.push_back(to);
      shape.push_back(merged);
    } else if (!contains(from, x.axes[k])) {
      order.push_back(x.axes[k]);
      axes.push_back(x.axes[k]);
      shape.push_back(x.shape[k]);
    }
  }
  array y = arrange(x, order), checked = zeros(axes, shape);
  y.axes = checked.axes;
  y.shape = checked.shape;
  return y;
}
/// Positions first, first + step, ... of an axis: `count` of them.
inline array slice(array const& x, axis_name const& a, long first, long count, long step = 1) {
  auto const k = static_cast<std::size_t>(position(x, a));
  if (count < 0 || (count > 0 && (first < 0 || first + (count - 1) * step >= x.shape[k] || first + (count - 1) * step < 0)))
    throw std::out_of_range("a slice of axis " + text(a) + " leaves it");
  extents shape = x.shape;
  shape[k] = count;
  extents const stride = steps(x, x.axes);
  return generate(x.axes, shape, [&](extents const& at) { return x[offset(stride, at) + (first + at[k] * (step - 1)) * stride[k]]; });
}
/// One position of an axis, which goes.
inline array at(array const& x, axis_name const& a, long i) {
  array y = slice(x, a, i, 1);
  long const k = position(y, a);
  y.axes.erase(y.axes.begin() + k);
  y.shape.erase(y.shape.begin() + k);
  return y;
}
namespace detail {
inline names without(names const& list, names const& gone) {
  names kept;
  for (axis_name const& a : list)
    if (!contains(gone, a)) kept.push_back(a);
  return kept;
}
inline extents extents_of(array const& x, names const& list) {
  extents shape;
  for (axis_name const& a : list) shape.push_back(extent(x, a));
  return shape;
}
// Where the elements of a row lie, relative to its first.
inline extents offsets(array const& x, names const& over, extents const& shape) {
  extents list, step = steps(x, over);
  for_each_position(shape, [&](extents const& at) { list.push_back(offset(step, at)); });
  return list;
}
inline void read(row& r, array const& x, long base, extents const& offsets) {
  r.resize(offsets.size());
  for (std::size_t i = 0; i < offsets.size(); ++i) r[i] = x[base + offsets[i]];
}
} // namespace detail

/// The table's rows that ids name along axis a: the axes of ids, then the table's others, broadcast by name.
inline array gather(array const& table, axis_name const& a, array const& ids) {
  long const rows = extent(table, a), row = steps(table, {a})[0];
  names const columns = detail::without(table.axes, {a});
  array const front = zeros(ids.axes, ids.shape), rest = zeros(columns, detail::extents_of(table, columns));
  auto const [axes, shape] = joined({&front, &rest});
  extents const of_table = steps(table, axes), of_ids = steps(ids, axes);
  return generate(axes, shape, [&](extents const& at) {
    bounded const id = ids[offset(of_ids, at)];
    if (id.value < 0 || id.value >= static_cast<double>(rows)) throw std::out_of_range("an id outside the table");
    bounded const x = table[offset(of_table, at) + static_cast<long>(id.value) * row];
    return certain(id) ? x : undecided_at(x.value);
  });
}

/// f(row) for every row over the named axes, which go: sum, max, mean, logsumexp ...
inline array reduce(array const& x, names const& over, std::function<bounded(row const&)> const& f) {
  names const axes = detail::without(x.axes, over);
  extents const row_of = detail::offsets(x, over, detail::extents_of(x, over)), step = steps(x, axes);
  row r;
  return generate(axes, detail::extents_of(x, axes), [&](extents const& at) {
    detail::read(r, x, offset(step, at), row_of);
    return f(r);
  });
}
inline array sum(array const& x, names const& over, precision const& p) { return reduce(x, over, [&](row const& r) { return sum(r, p); }); }
inline array mean(array const& x, names const& over, precision const& p) { return reduce(x, over, [&](row const& r) { return mean(r, p); }); }
inline array logsumexp(array const& x, names const& over, precision const& p) { return reduce(x, over, [&](row const& r) { return logsumexp(r, p); }); }
inline array max(array const& x, names const& over) { return reduce(x, over, [](row const& r) { return max(r); }); }
inline array min(array const& x, names const& over) { return reduce(x, over, [](row const& r) { return min(r); }); }

/// f(row), a row, for every row over the named axes, which stay: softmax.
inline array normalise(array const& x, names const& over, std::function<row(row const&)> const& f) {
  names const axes = detail::without(x.axes, over);
  extents const row_of = detail::offsets(x, over, detail::extents_of(x, over)), step = steps(x, axes);
  array y = x;
  row r;
  for_each_position(detail::extents_of(x, axes), [&](extents const& at) {
    long const base = offset(step, at);
    detail::read(r, x, base, row_of);
    row const result = f(r);
    for (std::size_t i = 0; i < result.size(); ++i) y.set(base + row_of[i], result[i]);
  });
  return y;
}
inline array softmax(array const& x, names const& over, empty_policy policy, precision const& p) {
  return normalise(x, over, [&](row const& r) { return softmax(r, policy, p); });
}

/// The sum over the named axes of the product, everything else by name: x's axes, then y's others. Accumulated in p.
inline array contract(array const& x, array const& y, names const& over, precision const& p) {
  for (axis_name const& a : over)
    if (!contains(x.axes, a) || !contains(y.axes, a)) throw std::invalid_argument("contraction over " + text(a) + ", which one side lacks");
  auto const [all, all_shape] = joined({&x, &y});
  names const axes = detail::without(all, over);
  extents shape;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (!contains(over, all[i])) shape.push_back(all_shape[i]);
  extents const row_shape = detail::extents_of(x, over), x_row = detail::offsets(x, over, row_shape), y_row = detail::offsets(y, over, row_shape);
  extents const x_step = steps(x, axes), y_step = steps(y, axes);
  row left, right;
  long held = -1;
  return generate(axes, shape, [&](extents const& at) {
    long const base = offset(x_step, at);
    if (base != held) detail::read(left, x, held = base, x_row);
    detail::read(right, y, offset(y_step, at), y_row);
    return dot(left, right, p);
  });
}

/// Each element kept with probability 1 - p and scaled by 1 / (1 - p), else 0. An element's draw is its row-major
/// position over the axes in their order.
inline array dropout(array x, double p, std::uint64_t seed, precision const& in) {
  for (long i = 0; i < x.size(); ++i) {
    bool const kept = dropout_keeps(p, seed, static_cast<std::uint64_t>(i));
    x.set(i, kept ? mul(x[i], p == 0 ? bounded{1, 0} : rounded({1 / (1 - p), 0}, in), in) : bounded{0, 0});
  }
  return x;
}

/// Every element rounded once more, as an implementation may that stores it in this format.
inline array stored(array x, precision const& p) {
  for (long i = 0; i < x.size(); ++i) x.set(i, correctly_rounded(x[i], p));
  return x;
}

} // namespace attend::kernels::reference
