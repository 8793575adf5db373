// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a region costs: floating-point operations and bytes as functions of the extents. `Extents` answers of<D>() for
// every dim, inner<D>() for one summed over; compile-time extents make the answers constants.
#pragma once
#include <attend/codegen/regions.hpp>

namespace attend::codegen::inline ATTEND_DETAIL_ISA {
namespace detail {

/// Elementwise operations in a tree.
template <class X>
inline constexpr long operations = 0;
template <class Op, class... X>
inline constexpr long operations<elementwise<Op, X...>> = 1 + (operations<X> + ...);

template <class Dims, class Extents>
constexpr long volume(Extents const& extents) {
  return [&]<class... D>(types<D...>) { return (extents.template of<D>() * ... * 1l); }(Dims{});
}

/// The dims of several lists, each once.
template <class List, class... Lists>
struct united {
  using type = List;
};
template <class A, class B, class... Rest>
struct united<A, B, Rest...> : united<unite_t<A, B>, Rest...> {};
template <class... Lists>
using unite_all = typename united<Lists...>::type;

/// What an operation in f64 is worth beside one in the type of the data: no matrix units do it.
inline constexpr double f64_operation = 8;

/// The dims of a region's result.
template <class R>
struct result_dims;
template <class... X>
struct result_dims<attention<X...>> {
  using region = attention<X...>;
  using type = concat_t<typename region::batch, concat_t<list_of<typename region::row>, list_of<typename region::width>>>;
};
template <class X, class Y, class... D, class A, class B, class R>
struct result_dims<product<X, Y, types<D...>, A, B, R>> {
  using type = minus_t<unite_t<typename X::shape::dims, typename Y::shape::dims>, types<D...>>;
};
template <class L, class I, bool Each, class... S>
struct result_dims<rows<L, I, Each, S...>> {
  using type = minus_t<unite_all<typename L::shape::dims, typename decltype(S::x)::shape::dims...>, std::conditional_t<Each, types<>, I>>;
};
template <class X>
struct result_dims<pass<X>> {
  using type = typename X::shape::dims;
};

/// One overload per region: operations.
struct counting {
  template <class Q, class K, class V, class F, class W, class... Rest, class Extents>
  static constexpr long of(attention<Q, K, V, F, W, Rest...> const*, Extents const& n) {
    using R = attention<Q, K, V, F, W, Rest...>;
    long const scores = volume<concat_t<typename R::batch, concat_t<list_of<typename R::row>, types<typename R::column>>>>(n);
    return scores * (2 * n.template inner<typename R::depth>() + 2 * volume<list_of<typename R::width>>(n) + operations<F> + operations<W>);
  }
  template <class X, class Y, class D, class A, class B, class R, class Extents>
  static constexpr long of(product<X, Y, D, A, B, R> const*, Extents const& n) {
    return 2 * volume<unite_t<typename X::shape::dims, typename Y::shape::dims>>(n);
  }
  template <class L, class I, bool Each, class... S, class Extents>
  static constexpr long of(rows<L, I, Each, S...> const*, Extents const& n) {
    return (((1 + operations<decltype(S::x)>) * volume<typename decltype(S::x)::shape::dims>(n)) + ... + (operations<L> * volume<typename result_dims<rows<L, I, Each, S...>>::type>(n)));
  }
  template <class X, class Extents>
  static constexpr long of(pass<X> const*, Extents const& n) { return operations<X> * volume<typename X::shape::dims>(n); }
};

/// Bytes of the tensors and buffers a tree reads.
struct reading {
  template <class X, class Extents>
  static constexpr long of(X const*, Extents const& n) {
    if constexpr (is_leaf<X>) return volume<typename X::shape::dims>(n) * static_cast<long>(sizeof(typename X::value_type));
    else return 0;
  }
  template <class Op, class... X, class Extents>
  static constexpr long of(elementwise<Op, X...> const*, Extents const& n) { return (of(static_cast<X const*>(nullptr), n) + ...); }
  template <class T, class I, class D, class Extents>
  static constexpr long of(gather_node<T, I, D> const*, Extents const& n) {
    using G = gather_node<T, I, D>;
    return volume<typename G::shape::dims>(n) * static_cast<long>(sizeof(typename T::value_type)) + of(static_cast<I const*>(nullptr), n);
  }
  template <region_type R, class Extents>
  static constexpr long of(R const*, Extents const& n) {
    return [&]<class... X>(types<X...>) { return (of(static_cast<X const*>(nullptr), n) + ...); }(typename R::operand_types{});
  }
};

} // namespace detail

/// Floating-point operations of a region's step.
template <class R, class Extents>
constexpr long flops_of(Extents const& n) { return detail::counting::of(static_cast<R const*>(nullptr), n); }
/// Bytes a region's step reads and writes, its result being elements of T.
template <class R, class T, class Extents>
constexpr long bytes_of(Extents const& n) {
  return detail::reading::of(static_cast<R const*>(nullptr), n) + detail::volume<typename detail::result_dims<R>::type>(n) * static_cast<long>(sizeof(T));
}

/// What a region's step costs, for a comparison of plans: operations, and bytes as one each. Steps in f64 are slow.
template <class R, class T, class Extents>
constexpr double step_cost(Extents const& n) {
  return static_cast<double>(flops_of<R>(n)) * (std::is_same_v<typename R::value_type, double> ? detail::f64_operation : 1) + static_cast<double>(bytes_of<R, T>(n));
}

} // namespace attend::codegen::inline ATTEND_DETAIL_ISA
