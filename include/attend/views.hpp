// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Views: other names, rows and columns, dims split, merged, cut and taken apart. Nothing moves. And as_written.
#pragma once
#include <attend/elementwise.hpp>
#include <attend/errors.hpp>
#include <attend/products.hpp>

namespace attend {
namespace detail {

template <class X, class D>
constexpr auto having_dim() {
  if constexpr (broken<X>) return ill_formed{};
  else if constexpr (!in<D, typename X::shape::dims>) return violation<rule::has_dim<dimension_named<D>, dims_shown_x<X>>>{};
  else return fine{};
}
template <class X, class D>
inline constexpr bool has_dim = std::is_same_v<decltype(having_dim<X, D>()), fine>;

template <class X>
constexpr auto transpose_node(X x) {
  if constexpr (broken<X>) return ill_formed{};
  else if constexpr (!has_orientation<X>) return violation<rule::transpose_needs_matrix<dims_shown_x<X>>>{};
  else return transposed<X>{{}, std::move(x)};
}

template <class X, class R, class C>
constexpr auto orient_node(X x, R, C) {
  using Matrix = matrix_dims_t<typename X::shape::dims>;
  if constexpr (broken<X>) return ill_formed{};
  else if constexpr (std::is_same_v<R, C> || !in<R, Matrix> || !in<C, Matrix>) return violation<rule::orient_by_matrix_dims<dimension_named<R>, dimension_named<C>, dims_shown_x<X>>>{};
  else return oriented_node<X, R, C>{{}, std::move(x)};
}

template <class X, class F, class T>
constexpr auto rename_node(X x, F, T) {
  if constexpr (!has_dim<X, F>) return having_dim<X, F>();
  else if constexpr (!std::is_same_v<F, T> && in<T, typename X::shape::dims>) return violation<rule::new_name_is_free<dimension_named<T>, dims_shown_x<X>>>{};
  else return call<F, T>(std::move(x));
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
  if constexpr (is_extent<P>) return valid_extent<typename P::dim>(p.size());
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
  if constexpr (!has_dim<X, C>) return having_dim<X, C>();
  else if constexpr (sizeof...(P) < 2 || !((dimension<P> || is_extent<P>) && ...)) return violation<rule::split_by_parts<dimension_named<C>, argument_given<P>...>>{};
  else {
    using New = types<typename part_of<P>::dim...>;
    using Others = minus_t<typename X::shape::dims, types<C>>;
    constexpr int inferred = (part_of<P>::inferred + ...);
    constexpr long total = extent_in<typename X::shape, C>, left = left_by_parts<total, P...>();
    if constexpr (!distinct<concat_t<Others, New>>) return violation<rule::dims_distinct<apply_list_t<concat_t<Others, New>, dims_of_x>>>{};
    else if constexpr (inferred > 1) return violation<rule::split_one_inferred<apply_list_t<New, dims_of_x>>>{};
    else if constexpr (left == -3 || (inferred == 0 && left >= 0 && left != 1)) {
      constexpr long parts = ((part_of<P>::inferred ? 1 : part_of<P>::extent) * ... * 1);
      return violation<rule::split_divides<extent_and_parts<C, total, parts>>>{};
    } else
      return split_node<X, C, axis<typename part_of<P>::dim, (part_of<P>::inferred ? left : part_of<P>::extent)>...>{{}, std::move(x), {size_of_part(p)...}};
  }
}

template <class X, class... D>
constexpr auto merge_dims(X x, types<D...>) {
  if constexpr (broken<X>) return ill_formed{};
  else if constexpr (sizeof...(D) < 3) return violation<rule::merge_two_or_more<dims_of_x<D...>>>{};
  else {
    using C = element_of_t<types<D...>, sizeof...(D) - 1>;
    using Parts = minus_t<types<D...>, types<C>>;
    using Others = minus_t<typename X::shape::dims, Parts>;
    if constexpr (minus_t<Parts, typename X::shape::dims>::size > 0) return violation<rule::has_dim<apply_list_t<minus_t<Parts, typename X::shape::dims>, dimension_named>, dims_shown_x<X>>>{};
    else if constexpr (Parts::size != sizeof...(D) - 1 || in<C, Others>) return violation<rule::new_name_is_free<dimension_named<C>, dims_shown_x<X>>>{};
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

template <class X, class D, class B, class E>
constexpr auto slice_node(X x, D, B begin, E end) {
  constexpr long first = static_number<B>, last = static_number<E>;
  constexpr long size = first >= 0 && last >= 0 ? last - first : dynamic;
  if constexpr (!has_dim<X, D>) return having_dim<X, D>();
  else {
    constexpr long whole = extent_in<typename X::shape, D>;
    if constexpr ((first >= 0 && last >= 0 && first > last) || (whole >= 0 && (first > whole || last > whole)))
      return violation<rule::within_extent<extent_and_positions<D, whole, first, last>>>{};
    else return sliced<X, D, size>{{}, std::move(x), number_of(begin), number_of(end)};
  }
}
template <class X, class D, class I>
constexpr auto at_one(X x, D, I i) {
  if constexpr (!has_dim<X, D>) return having_dim<X, D>();
  else {
    constexpr long whole = extent_in<typename X::shape, D>, given = static_number<I>;
    if constexpr (whole >= 0 && given >= whole) return violation<rule::within_extent<extent_and_positions<D, whole, given>>>{};
    else return at_node<X, D>{{}, std::move(x), number_of(i)};
  }
}

} // namespace detail

/// x with row and column swapped.
template <expression X>
constexpr auto transpose(X&& x) {
  return detail::reported(detail::transpose_node(detail::lift(static_cast<X&&>(x))));
}

/// x with its row and its column named.
template <expression X, dimension R, dimension C>
constexpr auto oriented(X&& x, R row, C column) {
  return detail::reported(detail::orient_node(detail::lift(static_cast<X&&>(x)), row, column));
}

/// x with `from` called `to`.
template <expression X, dimension F, dimension T>
constexpr auto rename(X&& x, F from, T to) {
  return detail::reported(detail::rename_node(detail::lift(static_cast<X&&>(x)), from, to));
}

/// x with c as several dims, the first the slowest: split(x, c, n = 8_c, d). One extent may be left out.
template <expression X, dimension C, class... P>
constexpr auto split(X&& x, C c, P... parts) {
  return detail::reported(detail::split_dim(detail::lift(static_cast<X&&>(x)), c, parts...));
}

/// x with several dims, the first the slowest, as one: merge(x, n, d, c).
template <expression X, dimension... D>
constexpr auto merge(X&& x, D...) {
  return detail::reported(detail::merge_dims(detail::lift(static_cast<X&&>(x)), detail::types<D...>{}));
}

/// Positions begin to end (without it) of a dim.
template <expression X, dimension D, detail::position B, detail::position E>
constexpr auto slice(X&& x, D d, B begin, E end) {
  return detail::reported(detail::slice_node(detail::lift(static_cast<X&&>(x)), d, begin, end));
}

/// x at one position of a dim, without that dim.
template <expression X, dimension D, detail::position I>
constexpr auto at(X&& x, D d, I i) {
  return detail::reported(detail::at_one(detail::lift(static_cast<X&&>(x)), d, i));
}

/// x, evaluated with its products in the order in which they are written, where a cheaper one might be found. Said of a
/// part of an expression it holds for all of it.
template <expression X>
constexpr auto as_written(X&& x) {
  using Node = detail::lifted<X>;
  if constexpr (detail::broken<Node>) return ill_formed{};
  else return as_written_node<Node>{{}, detail::lift(static_cast<X&&>(x))};
}

// Where something else stands in the place of a dim.
#define ATTEND_UNNAMED(NAME)                                                                                           \
  template <expression X, class... A>                                                                                  \
  constexpr auto NAME(X&&, A...) {                                                                                     \
    return detail::reported(detail::unnamed<A...>());                                                                  \
  }
ATTEND_UNNAMED(oriented)
ATTEND_UNNAMED(rename)
ATTEND_UNNAMED(split)
ATTEND_UNNAMED(merge)
ATTEND_UNNAMED(slice)
ATTEND_UNNAMED(at)
#undef ATTEND_UNNAMED

} // namespace attend
