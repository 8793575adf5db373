// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reductions and normalisations over named dims; the default of all of them is the column.
#pragma once
#include <attend/elementwise.hpp>
#include <attend/products.hpp>

namespace attend {
namespace detail {

template <class X, class... D>
constexpr auto reducing() {
  if constexpr (broken<X>) return ill_formed{};
  else if constexpr (is_bool<X>) return violation<rule::reduces_numbers<dims_shown_x<X>>>{};
  else if constexpr (!(in<D, typename X::shape::dims> && ...)) return violation<rule::has_dim<dimensions_missing<X, D...>, dims_shown_x<X>>>{};
  else if constexpr (!distinct<types<D...>>) return violation<rule::dims_distinct<dims_of_x<D...>>>{};
  else if constexpr (((extent_in<typename X::shape, D> == unknown) || ...)) return violation<rule::extent_known<dims_shown_x<X>>>{};
  else return fine{};
}
template <class X, class... D>
inline constexpr bool reducible = std::is_same_v<decltype(reducing<X, D...>()), fine>;

// The column of X, or the rule that it has none breaks.
template <class X>
constexpr auto default_column() {
  if constexpr (broken<X>) return ill_formed{};
  else if constexpr (is_bool<X>) return violation<rule::reduces_numbers<dims_shown_x<X>>>{};
  else if constexpr (!has_orientation<X>) return violation<rule::known_column<dims_shown_x<X>>>{};
  else return column_of<X>{};
}
template <class X>
using default_column_t = decltype(default_column<X>());

template <class Op, class X, class... D>
constexpr auto reduce(X x, D...) {
  if constexpr (sizeof...(D) == 0) {
    if constexpr (broken<default_column_t<X>>) return default_column_t<X>{};
    else return reduce<Op>(std::move(x), default_column_t<X>{});
  } else if constexpr (!reducible<X, D...>) return reducing<X, D...>();
  else return reduction<Op, X, types<D...>>{{}, std::move(x)};
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
template <class M, class X, class F, class D>
struct blind_mask<elementwise<op::filled, M, X, F>, D> : blind_mask<elementwise<op::masked, M, X>, D> {};
template <class X, class D>
struct blind_mask<dropout_node<X>, D> : blind_mask<X, D> {};
template <class X, class D>
struct blind_mask<transposed<X>, D> : blind_mask<X, D> {};
template <class X, class D>
struct blind_mask<as_written_node<X>, D> : blind_mask<X, D> {};
template <class X, class R, class C, class D>
struct blind_mask<oriented_node<X, R, C>, D> : blind_mask<X, D> {};
template <class X, class F, class T, class D>
struct blind_mask<renamed<X, F, T>, D> : blind_mask<X, std::conditional_t<std::is_same_v<D, T>, F, D>> {};
template <class X, class C, class... P, class D>
struct blind_mask<split_node<X, C, P...>, D> : blind_mask<X, std::conditional_t<in<D, types<typename P::dim...>>, C, D>> {};
template <class X, class E, long N, class D>
struct blind_mask<sliced<X, E, N>, D> : blind_mask<X, D> {};
template <class X, class E, class D>
struct blind_mask<at_node<X, E>, D> : blind_mask<X, D> {};

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
constexpr auto normalise(X x, D...) {
  if constexpr (sizeof...(D) == 0) {
    if constexpr (broken<default_column_t<X>>) return default_column_t<X>{};
    else return normalise<Empty>(std::move(x), default_column_t<X>{});
  } else if constexpr (!reducible<X, D...>) return reducing<X, D...>();
  else {
    using Blind = typename blind_mask<X, element_of_t<types<D...>, 0>>::type;
    if constexpr (sizeof...(D) == 1 && !std::is_void_v<Blind>) return violation<rule::mask_depends_on_softmax_dim<Blind, softmax_over<D>...>>{};
    else return softmax_node<X, types<D...>, Empty, typename softmax_orientation<X, D...>::type>{{}, std::move(x)};
  }
}

template <class P>
inline constexpr bool is_empty_row = in<P, types<empty_row::zeros_t, empty_row::uniform_t, empty_row::nan_t>>;

} // namespace detail

#define ATTEND_REDUCTION(NAME)                                                                                         \
  template <expression X, dimension... D>                                                                              \
  constexpr auto NAME(X&& x, D... d) {                                                                                 \
    return detail::reported(detail::reduce<op::NAME>(detail::lift(static_cast<X&&>(x)), d...));                        \
  }
#define ATTEND_UNNAMED(NAME)                                                                                           \
  template <expression X, class... A>                                                                                  \
  constexpr auto NAME(X&&, A...) {                                                                                     \
    return detail::reported(detail::unnamed<A...>());                                                                  \
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
ATTEND_UNNAMED(sum)
ATTEND_UNNAMED(mean)
ATTEND_UNNAMED(logsumexp)
ATTEND_UNNAMED(softmax)
#undef ATTEND_REDUCTION
#undef ATTEND_UNNAMED

/// exp(x) / sum(exp(x)) over the dims named; without one, over the column. A row with nothing kept gives zeros.
template <expression X, dimension... D>
constexpr auto softmax(X&& x, D... d) {
  return detail::reported(detail::normalise<empty_row::zeros_t>(detail::lift(static_cast<X&&>(x)), d...));
}
/// The same with what a row with nothing kept gives: empty_row::zeros, uniform or nan.
template <expression X, class Empty>
  requires detail::is_empty_row<Empty>
constexpr auto softmax(X&& x, Empty) {
  return detail::reported(detail::normalise<Empty>(detail::lift(static_cast<X&&>(x))));
}
template <expression X, dimension D, class Empty>
  requires detail::is_empty_row<Empty>
constexpr auto softmax(X&& x, D d, Empty) {
  return detail::reported(detail::normalise<Empty>(detail::lift(static_cast<X&&>(x)), d));
}

} // namespace attend
