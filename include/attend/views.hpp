// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Views: other names, rows and columns, dims split, merged, cut and taken apart. Nothing moves.
#pragma once
#include <attend/elementwise.hpp>
#include <attend/errors.hpp>
#include <attend/products.hpp>

namespace attend {
namespace detail {

template <class X, class D>
constexpr bool has_dim() {
  if constexpr (broken<X>) return false;
  else if constexpr (!in<D, typename X::shape::dims>) return refuse<rule::has_dim<dimension_named<D>, dims_shown_x<X>>>(), false;
  else return true;
}

template <class X>
constexpr auto transpose_node(X x) {
  if constexpr (broken<X>) return ill_formed{};
  else if constexpr (!has_orientation<X>) return refuse<rule::transpose_needs_matrix<dims_shown_x<X>>>();
  else return transposed<X>{{}, std::move(x)};
}

// A part of a split dim: `n = 8_c`, `n = heads`, or just `d`, whose extent is what the others leave.
template <class P>
struct part_of {
  using dim = P;
  static constexpr long extent = dynamic;
  static constexpr bool inferred = true;
};
template <class D, long N>
struct part_of<extent<D, N>> {
  using dim = D;
  static constexpr long extent = N;
  static constexpr bool inferred = false;
};
template <class P>
constexpr long size_of_part(P const& p) {
  if constexpr (is_extent<P>) return p.size();
  else return dynamic;
}

template <long Total, class... P>
consteval long left_by_parts() {
  long n = Total;
  if (n < 0) return dynamic;
  for (long p : {(part_of<P>::inferred ? 1 : part_of<P>::extent)...}) {
    if (p < 0) return dynamic;
    if (p == 0 || n % p != 0) return p == 0 && n == 0 ? dynamic : -3; // -3: does not divide
    n /= p;
  }
  return n;
}

template <class X, class C, class... P>
constexpr auto split_dim(X x, C, P... p) {
  if constexpr (!has_dim<X, C>()) return ill_formed{};
  else {
    using New = types<typename part_of<P>::dim...>;
    using Others = minus_t<typename X::shape::dims, types<C>>;
    constexpr int inferred = (part_of<P>::inferred + ...);
    constexpr long total = extent_in<typename X::shape, C>, left = left_by_parts<total, P...>();
    if constexpr (!distinct<concat_t<Others, New>>) return refuse<rule::dims_distinct<apply_list_t<concat_t<Others, New>, dims_of_x>>>();
    else if constexpr (inferred > 1) return refuse<rule::split_one_inferred<apply_list_t<New, dims_of_x>>>();
    else if constexpr (left == -3 || (inferred == 0 && left >= 0 && left != 1)) {
      constexpr long parts = ((part_of<P>::inferred ? 1 : part_of<P>::extent) * ... * 1);
      return refuse<rule::split_divides<extent_and_parts<C, total, parts>>>();
    } else
      return split_node<X, C, axis<typename part_of<P>::dim, (part_of<P>::inferred ? left : part_of<P>::extent)>...>{{}, std::move(x), {size_of_part(p)...}};
  }
}

template <class X, class... D>
constexpr auto merge_dims(X x, types<D...>) {
  if constexpr (sizeof...(D) < 3) return refuse<rule::merge_two_or_more<dims_of_x<D...>>>();
  else {
    using C = element_of_t<types<D...>, sizeof...(D) - 1>;
    using Parts = minus_t<types<D...>, types<C>>;
    using Others = minus_t<typename X::shape::dims, Parts>;
    if constexpr (broken<X>) return ill_formed{};
    else if constexpr (minus_t<Parts, typename X::shape::dims>::size > 0) return refuse<rule::has_dim<apply_list_t<Parts, dims_of_expression>, dims_shown_x<X>>>();
    else if constexpr (Parts::size != sizeof...(D) - 1 || in<C, Others>) return refuse<rule::new_name_is_free<dimension_named<C>, dims_shown_x<X>>>();
    else return merged<X, Parts, C>{{}, std::move(x)};
  }
}

template <class I>
inline constexpr long static_number = dynamic;
template <class T, T N>
inline constexpr long static_number<boost::hana::integral_constant<T, N>> = static_cast<long>(N);
template <class I>
concept position = std::integral<I> || static_number<I> >= 0;
template <class I>
constexpr long number_of(I i) {
  if constexpr (static_number<I> >= 0) return static_number<I>;
  else return static_cast<long>(i);
}

} // namespace detail

/// x with row and column swapped.
template <expression X>
constexpr auto transpose(X&& x) {
  return detail::transpose_node(detail::lift(static_cast<X&&>(x)));
}

/// x with its row and its column named.
template <expression X, dimension R, dimension C>
constexpr auto oriented(X&& x, R, C) {
  using A = detail::lifted<X>;
  if constexpr (detail::broken<A>) return ill_formed{};
  else if constexpr (std::is_same_v<R, C> || R::kind != role::matrix || C::kind != role::matrix || !detail::in<R, typename A::shape::dims> ||
                     !detail::in<C, typename A::shape::dims>)
    return detail::refuse<rule::orient_by_matrix_dims<dimension_named<R>, dimension_named<C>, detail::dims_shown_x<A>>>();
  else return oriented_node<A, R, C>{{}, detail::lift(static_cast<X&&>(x))};
}

/// x with `from` called `to`.
template <expression X, dimension F, dimension T>
constexpr auto rename(X&& x, F, T) {
  using A = detail::lifted<X>;
  if constexpr (!detail::has_dim<A, F>()) return ill_formed{};
  else if constexpr (!std::is_same_v<F, T> && detail::in<T, typename A::shape::dims>)
    return detail::refuse<rule::new_name_is_free<dimension_named<T>, detail::dims_shown_x<A>>>();
  else return detail::call<F, T>(detail::lift(static_cast<X&&>(x)));
}

/// x with c as several dims, the first the slowest: split(x, c, n = 8_c, d). One extent may be left out.
template <expression X, dimension C, class... P>
  requires(sizeof...(P) > 1 && ((dimension<P> || detail::is_extent<P>) && ...))
constexpr auto split(X&& x, C c, P... parts) {
  return detail::split_dim(detail::lift(static_cast<X&&>(x)), c, parts...);
}

/// x with several dims, the first the slowest, as one: merge(x, n, d, c).
template <expression X, dimension... D>
constexpr auto merge(X&& x, D...) {
  return detail::merge_dims(detail::lift(static_cast<X&&>(x)), detail::types<D...>{});
}

/// Positions begin to end (without it) of a dim.
template <expression X, dimension D, detail::position B, detail::position E>
constexpr auto slice(X&& x, D, B begin, E end) {
  using A = detail::lifted<X>;
  constexpr long first = detail::static_number<B>, last = detail::static_number<E>;
  constexpr long size = first >= 0 && last >= 0 ? last - first : dynamic;
  if constexpr (!detail::has_dim<A, D>()) return ill_formed{};
  else {
    constexpr long whole = detail::extent_in<typename A::shape, D>;
    if constexpr ((first >= 0 && last >= 0 && first > last) || (whole >= 0 && last > whole))
      return detail::refuse<rule::within_extent<extent_and_parts<D, whole, last>>>();
    else return sliced<A, D, size>{{}, detail::lift(static_cast<X&&>(x)), detail::number_of(begin), detail::number_of(end)};
  }
}

/// x at one position of a dim, without that dim.
template <expression X, dimension D, detail::position I>
constexpr auto at(X&& x, D, I i) {
  using A = detail::lifted<X>;
  if constexpr (!detail::has_dim<A, D>()) return ill_formed{};
  else {
    constexpr long whole = detail::extent_in<typename A::shape, D>;
    if constexpr (whole >= 0 && detail::static_number<I> >= whole)
      return detail::refuse<rule::within_extent<extent_and_parts<D, whole, detail::static_number<I>>>>();
    else return at_node<A, D>{{}, detail::lift(static_cast<X&&>(x)), detail::number_of(i)};
  }
}

} // namespace attend
