// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The run-time extents of a written expression, and the check that they agree: one shape_error names the operation, the
// dimension and both extents before anything is touched.
#pragma once
#include <attend/errors.hpp>
#include <attend/kernels/isa.hpp>
#include <attend/language.hpp>
#include <string>

namespace attend::codegen::inline ATTEND_DETAIL_ISA {

using attend::detail::elementwise_of;
using attend::detail::in;
using attend::detail::index_in;
using attend::detail::operand_of;
using attend::detail::types;
using attend::detail::with_values;

/// The extents of a shape's dims, in its order; `unknown` where nothing says.
template <class Shape>
struct sizes {
  long n[Shape::rank > 0 ? Shape::rank : 1];

  template <class D>
  static constexpr bool has = in<D, typename Shape::dims>;
  /// Whether anything but positions has D, so that its extent is known.
  template <class D>
  static constexpr bool known = attend::detail::extent_in<Shape, D> != unknown;
  template <class D>
  constexpr long of() const {
    if constexpr (has<D>) return n[index_in<D>(typename Shape::dims{})];
    else return unknown;
  }
};

namespace detail {

using namespace attend::detail;

template <class Op>
constexpr operation_name name_of(int operands) {
  return {Op::symbol, requires { Op::infix; }, operands};
}

/// One overload per kind of node: its extents, after checking that its operands agree.
struct sizing {
  template <class Shape, class A, class B>
  static sizes<Shape> meet(operation_name const& operation, sizes<A> const& a, sizes<B> const& b) {
    return [&]<class... D>(types<D...>) {
      return sizes<Shape>{{one<D>(operation, a, b)...}};
    }(typename Shape::dims{});
  }
  template <class D, class A, class B>
  static long one(operation_name const& operation, sizes<A> const& a, sizes<B> const& b) {
    long const x = a.template of<D>(), y = b.template of<D>();
    if (x >= 0 && y >= 0 && x != y) extents_differ(operation, &D::name, x, y);
    return attend::detail::meet(x, y);
  }
  template <class Shape, class A>
  static sizes<Shape> pick(sizes<A> const& a) {
    return [&]<class... D>(types<D...>) { return sizes<Shape>{{a.template of<D>()...}}; }(typename Shape::dims{});
  }

  template <class T, class S, class... A>
  static sizes<shape<A...>> of(tensor_view<T, S, A...> const& v) {
    sizes<shape<A...>> r{};
    for (int i = 0; i < v.rank; ++i) r.n[i] = v.extents[i];
    return r;
  }
  template <class T, class S, class... A>
  static sizes<shape<A...>> of(owned<T, S, A...> const& v) { return of(v.whole); }
  template <class T>
  static sizes<shape<>> of(scalar<T> const&) { return {}; }
  template <class D>
  static sizes<shape<axis<D, unknown>>> of(index_node<D>) { return {{unknown}}; }
  template <class D>
  static sizes<shape<axis<D, unknown>>> of(length_node<D>) { return {{unknown}}; }

  template <class Op, class X>
  static auto of(elementwise<Op, X> const& e) { return of(operand_of<0>(e)); }
  template <class Op, class X, class Y>
  static auto of(elementwise<Op, X, Y> const& e) {
    return meet<typename elementwise<Op, X, Y>::shape>(name_of<Op>(2), of(operand_of<0>(e)), of(operand_of<1>(e)));
  }
  template <class Op, class X, class Y, class Z>
  static auto of(elementwise<Op, X, Y, Z> const& e) {
    auto const xy = meet<unite_shapes<typename X::shape, typename Y::shape>>(name_of<Op>(3), of(operand_of<0>(e)), of(operand_of<1>(e)));
    return meet<typename elementwise<Op, X, Y, Z>::shape>(name_of<Op>(3), xy, of(operand_of<2>(e)));
  }
  template <class X, class Y, class D, class O>
  static auto of(contraction<X, Y, D, O> const& e) {
    constexpr operation_name name{std::is_same_v<O, no_orientation> ? "contract(x, y, dim)" : "operator*(x, y)"};
    return pick<typename contraction<X, Y, D, O>::shape>(meet<unite_shapes<typename X::shape, typename Y::shape>>(name, of(e.x), of(e.y)));
  }
  template <class Op, class X, class D>
  static auto of(reduction<Op, X, D> const& e) { return pick<typename reduction<Op, X, D>::shape>(of(e.x)); }
  template <class X, class D, class P, class O>
  static auto of(softmax_node<X, D, P, O> const& e) { return of(e.x); }
  template <class X>
  static auto of(dropout_node<X> const& e) { return of(e.x); }
  template <class T, class I, class D>
  static auto of(gather_node<T, I, D> const& e) {
    return pick<typename gather_node<T, I, D>::shape>(meet<unite_shapes<typename T::shape, typename I::shape>>(operation_name{"gather(table, ids)"}, of(e.table), of(e.ids)));
  }
  template <class X>
  static auto of(transposed<X> const& e) { return of(e.x); }
  template <class X, class R, class C>
  static auto of(oriented_node<X, R, C> const& e) { return of(e.x); }
  template <class X>
  static auto of(as_written_node<X> const& e) { return of(e.x); }
  template <class X, class F, class T>
  static auto of(renamed<X, F, T> const& e) {
    auto const x = of(e.x);
    sizes<typename renamed<X, F, T>::shape> r{};
    for (int i = 0; i < renamed<X, F, T>::shape::rank; ++i) r.n[i] = x.n[i];
    return r;
  }
  template <class X, class C, class... P>
  static auto of(split_node<X, C, P...> const& e) {
    auto const x = of(e.x);
    auto const parts = parts_of(e, x.template of<C>());
    using Shape = typename split_node<X, C, P...>::shape;
    return [&]<class... D>(types<D...>) {
      auto const one = [&]<class E>(std::type_identity<E>) {
        constexpr int at = index_in<E>(types<typename P::dim...>{});
        if constexpr (at >= 0) return parts.n[at];
        else return x.template of<E>();
      };
      return sizes<Shape>{{one(std::type_identity<D>{})...}};
    }(typename Shape::dims{});
  }
  template <class X, class... D, class C>
  static auto of(merged<X, types<D...>, C> const& e) {
    auto const x = of(e.x);
    long n = 1;
    for (long p : {x.template of<D>()...}) n = p < 0 || n < 0 ? unknown : n * p;
    using Shape = typename merged<X, types<D...>, C>::shape;
    return [&]<class... E>(types<E...>) { return sizes<Shape>{{(std::is_same_v<E, C> ? n : x.template of<E>())...}}; }(typename Shape::dims{});
  }
  template <class X, class D, long N>
  static auto of(sliced<X, D, N> const& e) {
    auto const x = of(e.x);
    long const whole = x.template of<D>();
    if (e.begin < 0 || e.end < e.begin || (whole >= 0 && e.end > whole)) slice_beyond(&D::name, e.begin, e.end, whole);
    using Shape = typename sliced<X, D, N>::shape;
    return [&]<class... E>(types<E...>) { return sizes<Shape>{{(std::is_same_v<E, D> ? e.end - e.begin : x.template of<E>())...}}; }(typename Shape::dims{});
  }
  template <class X, class D>
  static auto of(at_node<X, D> const& e) {
    auto const x = of(e.x);
    long const whole = x.template of<D>();
    if (e.i < 0 || (whole >= 0 && e.i >= whole)) at_beyond(&D::name, e.i, whole);
    return pick<typename at_node<X, D>::shape>(x);
  }

  // The extents of a split's parts, the one left out being what the others leave of the whole.
  template <class X, class C, class... P>
  static sizes<shape<P...>> parts_of(split_node<X, C, P...> const& e, long whole) {
    sizes<shape<P...>> r{};
    long product = 1;
    int open = -1, i = 0;
    for (long given : {P::extent...}) {
      r.n[i] = given >= 0 ? given : e.extents[i];
      if (r.n[i] < 0) open = i;
      else product *= r.n[i];
      ++i;
    }
    if (whole < 0 && open >= 0) return r;
    if (open >= 0 && product > 0) r.n[open] = whole / product;
    if (open >= 0 && product == 0) r.n[open] = 0;
    long all = 1;
    for (int k = 0; k < i; ++k) all *= r.n[k];
    if (whole >= 0 && all != whole) parts_differ(&C::name, whole, product);
    return r;
  }
};

} // namespace detail

/// The extents of an expression's dims. Throws shape_error where operands disagree.
template <class E>
auto sizes_of(E const& e) {
  return detail::sizing::of(e);
}

} // namespace attend::codegen::inline ATTEND_DETAIL_ISA
