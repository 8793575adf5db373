// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Names end here: a tree becomes a functor whose dims are axis numbers and whose tensors are pointers with strides, so
// that one kernel serves every naming. `Axes` lists the dims in the order of the kernel's axes.
#pragma once
#include <attend/codegen/regions.hpp>
#include <attend/kernels/functor.hpp>

namespace attend::codegen::inline ATTEND_DETAIL_ISA {
namespace detail {

template <class T, class V>
T const* data_of(V const& v) {
  if constexpr (is_buffer<V>) return reinterpret_cast<T const*>(v.memory) + v.origin;
  else return v.data;
}

/// One overload per kind of node that a pass can compute.
template <class Axes>
struct lowering {
  template <class V>
    requires is_leaf<V>
  static auto of(V const& v) { return leaf(v, typename V::shape::dims{}); }
  static kernels::constant of(scalar<double> const& x) { return {x.value}; }
  static kernels::whole_constant of(scalar<std::int64_t> const& x) { return {x.value}; }
  static kernels::whole_constant of(scalar<bool> const& x) { return {x.value}; }
  template <class D>
  static auto of(index_node<D> const&) { return kernels::coordinate<axis_number<D>>{}; }
  template <int I, class T>
  static auto of(placeholder<I, T> const&) { return kernels::argument<I>{}; }
  template <class Op, class... X>
  static auto of(elementwise<Op, X...> const& e) {
    return with_values(e.x, [](auto const&... x) { return applied<Op>(of(x)...); });
  }
  template <class T, class X>
  static auto of(elementwise<op::counted_as<T>, X> const& e) { return of(operand_of<0>(e)); }
  template <class T, class I, class D>
  static auto of(gather_node<T, I, D> const& e) { return look_up<D>(e.table, of(e.ids), minus_t<typename T::shape::dims, types<D>>{}); }

private:
  template <class D>
  static constexpr int axis_number = index_in<D>(Axes{});

  template <class V, class... D>
  static auto leaf(V const& v, types<D...>) {
    using T = typename V::value_type;
    kernels::element<T, axis_number<D>...> r{data_of<T>(v), {}};
    for (int i = 0; i < V::rank; ++i) r.stride[i] = v.strides[i];
    return r;
  }
  template <class Op, class... F>
  static auto applied(F const&... f) { return kernels::apply<Op, F...>{{{f}...}}; }
  template <class D, class V, class Ids, class... Rest>
  static auto look_up(V const& table, Ids const& ids, types<Rest...>) {
    using T = typename V::value_type;
    using All = typename V::shape::dims;
    return kernels::lookup<T, Ids, axis_number<Rest>...>{data_of<T>(table), ids, table.strides[index_in<D>(All{})], {table.strides[index_in<Rest>(All{})]...}};
  }
};

} // namespace detail

/// The functor of a tree whose dims are the axes listed.
template <class... Axes, class X>
auto lower(X const& x, types<Axes...>) {
  return detail::lowering<types<Axes...>>::of(x);
}

} // namespace attend::codegen::inline ATTEND_DETAIL_ISA
