// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reductions and normalisations over named dims; the default of all of them is the column.
#pragma once
#include <attend/elementwise.hpp>
#include <attend/products.hpp>

namespace attend {
namespace detail {

template <class X, class... D>
constexpr bool reducible() {
  if constexpr (broken<X>) return false;
  else if constexpr (is_bool<X>) return refuse<rule::reduces_numbers<dims_shown_x<X>>>(), false;
  else if constexpr (!(in<D, typename X::shape::dims> && ...)) return refuse<rule::has_dim<dimension_named<D>..., dims_shown_x<X>>>(), false;
  else if constexpr (!distinct<types<D...>>) return refuse<rule::dims_distinct<dims_of_x<D...>>>(), false;
  else return true;
}

// The column of X, or void after saying that there is none.
template <class X>
constexpr auto default_column() {
  if constexpr (broken<X>) return std::type_identity<void>{};
  else if constexpr (!has_orientation<X>) return refuse<rule::known_column<dims_shown_x<X>>>(), std::type_identity<void>{};
  else return std::type_identity<column_of<X>>{};
}
template <class X>
using default_column_t = typename decltype(default_column<X>())::type;

template <class Op, class X, class... D>
constexpr auto reduce(X x, D...) {
  if constexpr (!reducible<X, D...>()) return ill_formed{};
  else return reduction<Op, X, types<D...>>{{}, std::move(x)};
}
template <class Op, class X>
constexpr auto reduce_column(X x) {
  if constexpr (std::is_void_v<default_column_t<X>>) return ill_formed{};
  else return reduce<Op>(std::move(x), default_column_t<X>{});
}

// The dims of the first mask in X that does not depend on D, or void: looked for where a softmax over D would meet it.
template <class X, class D>
struct blind_mask {
  using type = void;
};
template <class D, class... X>
struct first_blind {
  using type = void;
};
template <class D, class X, class... Rest>
struct first_blind<D, X, Rest...> {
  using here = typename blind_mask<X, D>::type;
  using type = typename std::conditional_t<std::is_void_v<here>, first_blind<D, Rest...>, std::type_identity<here>>::type;
};
template <class Op, class... X, class D>
struct blind_mask<elementwise<Op, X...>, D> : first_blind<D, X...> {};
template <class M, class X, class D>
struct blind_mask<elementwise<op::masked, M, X>, D>
    : std::conditional_t<in<D, typename M::shape::dims>, blind_mask<X, D>, std::type_identity<apply_list_t<typename M::shape::dims, dims_of_mask>>> {};
template <class X, class D>
struct blind_mask<transposed<X>, D> : blind_mask<X, D> {};
template <class X, class R, class C, class D>
struct blind_mask<oriented_node<X, R, C>, D> : blind_mask<X, D> {};
template <class X, class F, class T, class D>
struct blind_mask<renamed<X, F, T>, D> : blind_mask<X, std::conditional_t<std::is_same_v<D, T>, F, D>> {};

// Rows and columns of a softmax: x's own, or where it has none the column is the dim named.
template <class X, class... D>
struct softmax_orientation {
  using type = typename X::orientation;
};
template <class X, class D>
  requires(std::is_same_v<typename X::orientation, no_orientation> && matrix_rank<X> == 2 && D::kind == role::matrix)
struct softmax_orientation<X, D> {
  using type = orient<other_of_two<matrix_dims_t<typename X::shape::dims>, D>, D>;
};

template <class Empty, class X, class... D>
constexpr auto make_softmax(X x, D...) {
  if constexpr (!reducible<X, D...>()) return ill_formed{};
  else {
    using Blind = typename blind_mask<X, element_of_t<types<D...>, 0>>::type;
    if constexpr (sizeof...(D) == 1 && !std::is_void_v<Blind>) return refuse<rule::mask_depends_on_softmax_dim<Blind, softmax_over<D>...>>();
    else return softmax_node<X, types<D...>, Empty, typename softmax_orientation<X, D...>::type>{{}, std::move(x)};
  }
}
template <class Empty, class X>
constexpr auto softmax_column(X x) {
  if constexpr (std::is_void_v<default_column_t<X>>) return ill_formed{};
  else return make_softmax<Empty>(std::move(x), default_column_t<X>{});
}

template <class P>
inline constexpr bool is_empty_row = in<P, types<empty_row::zeros_t, empty_row::uniform_t, empty_row::nan_t>>;

} // namespace detail

#define ATTEND_REDUCTION(NAME)                                                                                         \
  template <expression X, dimension... D>                                                                              \
  constexpr auto NAME(X&& x, D... d) {                                                                                 \
    if constexpr (sizeof...(D) == 0) return detail::reduce_column<op::NAME>(detail::lift(static_cast<X&&>(x)));        \
    else return detail::reduce<op::NAME>(detail::lift(static_cast<X&&>(x)), d...);                                     \
  }
/// The sum over the dims named; without one, over the column.
ATTEND_REDUCTION(sum)
/// The largest; of nothing it is minus infinity, and a NaN is handed on.
ATTEND_REDUCTION(max)
/// The smallest; of nothing it is infinity, and a NaN is handed on.
ATTEND_REDUCTION(min)
/// The sum divided by how many there are.
ATTEND_REDUCTION(mean)
/// log(sum(exp(x))), without overflow.
ATTEND_REDUCTION(logsumexp)
#undef ATTEND_REDUCTION

/// exp(x) / sum(exp(x)) over the dims named; without one, over the column. A row with nothing kept gives zeros.
template <expression X, dimension... D>
constexpr auto softmax(X&& x, D... d) {
  if constexpr (sizeof...(D) == 0) return detail::softmax_column<empty_row::zeros_t>(detail::lift(static_cast<X&&>(x)));
  else return detail::make_softmax<empty_row::zeros_t>(detail::lift(static_cast<X&&>(x)), d...);
}
/// The same with what a row with nothing kept gives: empty_row::zeros, uniform or nan.
template <expression X, class Empty>
  requires detail::is_empty_row<Empty>
constexpr auto softmax(X&& x, Empty) {
  return detail::softmax_column<Empty>(detail::lift(static_cast<X&&>(x)));
}
template <expression X, dimension D, class Empty>
  requires detail::is_empty_row<Empty>
constexpr auto softmax(X&& x, D d, Empty) {
  return detail::make_softmax<Empty>(detail::lift(static_cast<X&&>(x)), d);
}

} // namespace attend
