// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Look-ups in a table, and dropout.
#pragma once
#include <attend/elementwise.hpp>
#include <attend/errors.hpp>
#include <attend/products.hpp>
#include <string>

namespace attend {
namespace detail {

template <class Table, class Ids, class D>
constexpr auto gather_from(Table table, Ids ids, D) {
  if constexpr (broken<Table> || broken<Ids>) return ill_formed{};
  else if constexpr (!whole<typename Ids::value_type>) return violation<rule::ids_are_whole<type_of_y<typename Ids::value_type>>>{};
  else if constexpr (!in<D, typename Table::shape::dims> || in<D, typename Ids::shape::dims>)
    return violation<rule::table_has_row<dimension_named<D>, dims_shown_x<Table>, dims_shown_y<Ids>>>{};
  else if constexpr (!meets<Table, Ids>) return meeting<Table, Ids>();
  else return gather_node<Table, Ids, D>{{}, std::move(table), std::move(ids)};
}

template <class Table, class Ids>
constexpr auto gather_rows(Table table, Ids ids) {
  using M = matrix_dims_t<typename Table::shape::dims>;
  if constexpr (broken<Table>) return ill_formed{};
  else if constexpr (M::size == 0) return violation<rule::table_has_row<dims_shown_x<Table>>>{};
  else return gather_from(std::move(table), std::move(ids), element_of_t<M, 0>{});
}

} // namespace detail

/// Rows of a table by id: dims of ids, then the table's others. The dim looked up in is the one named, else the first
/// matrix dim of the table. Throws index_error when an id is outside the table.
template <expression Table, expression Ids, dimension D>
constexpr auto gather(Table&& table, Ids&& ids, D d) {
  return detail::reported(detail::gather_from(detail::lift(static_cast<Table&&>(table)), detail::lift(static_cast<Ids&&>(ids)), d));
}
template <expression Table, expression Ids>
constexpr auto gather(Table&& table, Ids&& ids) {
  return detail::reported(detail::gather_rows(detail::lift(static_cast<Table&&>(table)), detail::lift(static_cast<Ids&&>(ids))));
}
template <expression Table, expression Ids, class A>
constexpr auto gather(Table&&, Ids&&, A) {
  return detail::reported(detail::unnamed<A>());
}

/// x with each element kept with probability 1 - p and scaled by 1 / (1 - p), else zero. The draws are Philox's, counted
/// along the dims of x in their order: the same bits on every machine and every route.
/// Throws argument_error when p is outside [0, 1).
template <expression X>
constexpr auto dropout(X&& x, double p, std::int64_t seed) {
  using A = detail::lifted<X>;
  if constexpr (detail::broken<A>) return ill_formed{};
  else if constexpr (detail::is_bool<A>) return detail::reported(detail::violation<rule::arithmetic_on_bool<detail::dims_shown_x<A>>>{});
  else {
    if (!(p >= 0 && p < 1)) detail::no_probability(p);
    return dropout_node<A>{{}, detail::lift(static_cast<X&&>(x)), p, seed};
  }
}

} // namespace attend
