// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Products: of matrices by row and column, of anything by name.
#pragma once
#include <attend/elementwise.hpp>

namespace attend {
namespace detail {

template <class X>
using row_of = typename X::orientation::row;
template <class X>
using column_of = typename X::orientation::column;
template <class X>
inline constexpr bool has_orientation = !std::is_same_v<typename X::orientation, no_orientation> &&
                                        !std::is_same_v<typename X::orientation, conflicting_orientation>;
template <class X>
inline constexpr int matrix_rank = matrix_dims_t<typename X::shape::dims>::size;

/// x with From called To: a node only where the names differ.
template <class From, class To, class X>
constexpr auto call(X x) {
  if constexpr (std::is_same_v<From, To>) return x;
  else return renamed<X, From, To>{{}, std::move(x)};
}

template <class Orientation, class X, class Y, class... D>
constexpr auto contract_nodes(X x, Y y, types<D...>) {
  if constexpr (!meets<X, Y>) return meeting<X, Y>();
  else if constexpr (is_bool<X> || is_bool<Y>) return violation<rule::numbers_in_product<dims_shown_x<X>, dims_shown_y<Y>>>{};
  else return contraction<X, Y, types<D...>, Orientation>{{}, std::move(x), std::move(y)};
}

// A product of two matrices whose rows and columns are known: the inner dim of y takes x's name, and a column of y
// that x has already is primed.
template <class RowX, class Inner, class RowY, class ColumnY, class X, class Y>
constexpr auto multiply_matrices(X x, Y y) {
  using Names = unite_t<typename X::shape::dims, typename Y::shape::dims>;
  if constexpr (!prime_apart<Inner, RowY>) return violation<rule::same_inner_dim<column_of_x<Inner>, row_of_y<RowY>>>{};
  else {
    // a(s, s') * b(s, s') sums over a third name
    using Sum = std::conditional_t<!std::is_same_v<Inner, RowY> && in<Inner, typename Y::shape::dims>, fresh_t<primed<Inner>, Names>, Inner>;
    using Column = std::conditional_t<std::is_same_v<ColumnY, RowX>, fresh_t<primed<ColumnY>, concat_t<Names, types<Sum>>>, ColumnY>;
    auto left = call<Inner, Sum>(std::move(x));
    auto right = call<RowY, Sum>(call<ColumnY, Column>(std::move(y)));
    return contract_nodes<orient<RowX, Column>>(std::move(left), std::move(right), types<Sum>{});
  }
}

template <class X, class Y, class... D>
constexpr auto contract_by_name(X x, Y y, types<D...> dims) {
  using Dx = typename X::shape::dims;
  using Dy = typename Y::shape::dims;
  if constexpr (broken<X> || broken<Y>) return ill_formed{};
  else if constexpr (sizeof...(D) == 0) return violation<rule::contract_needs_dim<dims_shown_x<X>>>{};
  else if constexpr (!distinct<types<D...>>) return violation<rule::dims_distinct<dims_of_x<D...>>>{};
  else if constexpr (!((in<D, Dx> && in<D, Dy>) && ...)) return violation<rule::contracted_in_both<dimension_named<D>..., dims_shown_x<X>, dims_shown_y<Y>>>{};
  else return contract_nodes<no_orientation>(std::move(x), std::move(y), dims);
}

template <class List, class D>
using other_of_two = element_of_t<minus_t<List, types<D>>, 0>;

template <class X, class Y>
constexpr auto multiply(X x, Y y) {
  if constexpr (broken<X> || broken<Y>) return ill_formed{};
  else if constexpr (matrix_rank<X> == 0 || matrix_rank<Y> == 0) return arithmetic<op::mul>(std::move(x), std::move(y));
  else if constexpr (matrix_rank<X> != 2 || matrix_rank<Y> != 2) return violation<rule::two_matrix_dims<dims_shown_x<X>, dims_shown_y<Y>>>{};
  else {
    using MX = matrix_dims_t<typename X::shape::dims>;
    using MY = matrix_dims_t<typename Y::shape::dims>;
    // a contraction has no row and no column: the other side's names say which
    constexpr bool free_x = std::is_same_v<typename X::orientation, no_orientation>, free_y = std::is_same_v<typename Y::orientation, no_orientation>;
    if constexpr (has_orientation<X> && has_orientation<Y>)
      return multiply_matrices<row_of<X>, column_of<X>, row_of<Y>, column_of<Y>>(std::move(x), std::move(y));
    else if constexpr (free_x && has_orientation<Y>) {
      if constexpr (in<row_of<Y>, MX>)
        return multiply_matrices<other_of_two<MX, row_of<Y>>, row_of<Y>, row_of<Y>, column_of<Y>>(std::move(x), std::move(y));
      else return violation<rule::known_rows_and_columns<dims_shown_x<X>>>{};
    } else if constexpr (has_orientation<X> && free_y) {
      if constexpr (in<column_of<X>, MY>)
        return multiply_matrices<row_of<X>, column_of<X>, column_of<X>, other_of_two<MY, column_of<X>>>(std::move(x), std::move(y));
      else return violation<rule::known_rows_and_columns<dims_shown_y<Y>>>{};
    } else return violation<rule::known_rows_and_columns<dims_shown_x<X>, dims_shown_y<Y>>>{};
  }
}

} // namespace detail

/// The matrix product, or a scaling where one side is a number or has batch dims only.
/// (..., s, d) * (..., d, t) -> (..., s, t): batch dims are matched by name and broadcast where one side lacks them.
template <class X, class Y>
  requires operands<X, Y>
constexpr auto operator*(X&& x, Y&& y) {
  return detail::reported(detail::multiply(detail::lift(static_cast<X&&>(x)), detail::lift(static_cast<Y&&>(y))));
}

/// The sum of x times y over the named dims, everything else by name. The result has no row and no column.
template <expression X, expression Y, dimension... D>
constexpr auto contract(X&& x, Y&& y, D...) {
  return detail::reported(detail::contract_by_name(detail::lift(static_cast<X&&>(x)), detail::lift(static_cast<Y&&>(y)), detail::types<D...>{}));
}
template <expression X, expression Y, class... A>
constexpr auto contract(X&&, Y&&, A...) {
  return detail::reported(detail::unnamed<A...>());
}

} // namespace attend
