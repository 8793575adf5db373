// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Masks: a condition becomes one by keep() or drop(), so that polarity is part of the type.
#pragma once
#include <attend/elementwise.hpp>

namespace attend {

/// A mask that keeps where m holds.
template <expression M>
constexpr auto keep(M&& m) {
  using A = detail::lifted<M>;
  if constexpr (detail::broken<A>) return keep_mask<ill_formed>{};
  else if constexpr (!detail::is_bool<A>) return detail::refuse<rule::mask_is_condition<type_of_x<typename A::value_type>>>(), keep_mask<ill_formed>{};
  else return keep_mask<A>{detail::lift(static_cast<M&&>(m))};
}
/// A mask that drops where m holds.
template <expression M>
constexpr auto drop(M&& m) {
  using A = detail::lifted<M>;
  if constexpr (detail::broken<A>) return drop_mask<ill_formed>{};
  else if constexpr (!detail::is_bool<A>) return detail::refuse<rule::mask_is_condition<type_of_x<typename A::value_type>>>(), drop_mask<ill_formed>{};
  else return drop_mask<A>{detail::lift(static_cast<M&&>(m))};
}

namespace detail {

template <class M>
using dims_shown_mask = apply_list_t<typename M::shape::dims, dims_of_mask>;

template <class X, class M>
constexpr bool mask_fits() {
  if constexpr (broken<X> || broken<M>) return false;
  else if constexpr (minus_t<typename M::shape::dims, typename X::shape::dims>::size > 0)
    return refuse<rule::mask_within_scores<dims_shown_mask<M>, dims_shown_x<X>>>(), false;
  else return meets<X, M>;
}
template <class X, class M>
constexpr auto mask_by(X x, M kept) {
  if constexpr (!mask_fits<X, M>()) return ill_formed{};
  else return elementwise<op::masked, M, X>{{}, {{std::move(kept)}, {std::move(x)}}};
}
template <class X, class M>
constexpr auto fill_by(X x, M kept, double fill) {
  if constexpr (!mask_fits<X, M>()) return ill_formed{};
  else return map<op::where>(std::move(kept), std::move(x), scalar<double>{{}, fill});
}

} // namespace detail

/// x where the mask keeps, else minus infinity. Every dim of the mask must be one of x.
template <expression X, class M>
constexpr auto masked(X&& x, keep_mask<M> m) {
  return detail::mask_by(detail::lift(static_cast<X&&>(x)), std::move(m.m));
}
template <expression X, class M>
constexpr auto masked(X&& x, drop_mask<M> m) {
  return detail::mask_by(detail::lift(static_cast<X&&>(x)), detail::map<op::no>(std::move(m.m)));
}
/// x where the mask keeps, else the finite `fill`: a row with nothing kept becomes uniform.
template <expression X, class M>
constexpr auto masked(X&& x, keep_mask<M> m, double fill) {
  return detail::fill_by(detail::lift(static_cast<X&&>(x)), std::move(m.m), fill);
}
template <expression X, class M>
constexpr auto masked(X&& x, drop_mask<M> m, double fill) {
  return detail::fill_by(detail::lift(static_cast<X&&>(x)), detail::map<op::no>(std::move(m.m)), fill);
}
template <expression X, expression M>
constexpr auto masked(X&&, M&&, double = 0) {
  using A = detail::lifted<X>;
  using B = detail::lifted<M>;
  if constexpr (detail::broken<A> || detail::broken<B>) return ill_formed{};
  else return detail::refuse<rule::mask_with_polarity<detail::dims_shown_mask<B>>>();
}

namespace detail {
template <class X>
inline constexpr bool is_mask = false;
template <class M>
inline constexpr bool is_mask<keep_mask<M>> = true;
template <class M>
inline constexpr bool is_mask<drop_mask<M>> = true;
template <class M>
constexpr ill_formed refuse_mask() {
  if constexpr (broken<decltype(M::m)>) return {};
  else return refuse<rule::mask_is_no_number<dims_shown_mask<decltype(M::m)>>>();
}
} // namespace detail
/// A mask is not added: masked(x, keep(m)) is the way in.
template <expression X, class M>
  requires detail::is_mask<std::remove_cvref_t<M>>
constexpr auto operator+(X&&, M&&) {
  return detail::refuse_mask<std::remove_cvref_t<M>>();
}
template <class M, expression X>
  requires detail::is_mask<std::remove_cvref_t<M>>
constexpr auto operator+(M&&, X&&) {
  return detail::refuse_mask<std::remove_cvref_t<M>>();
}

/// Aligns the last query with the last key, as when new queries meet a longer key cache.
struct bottom_right_t {};
inline constexpr bottom_right_t bottom_right{};

/// Keys up to the query's own position: t <= s.
template <dimension S, dimension T>
constexpr auto causal(S s, T t) {
  return index(t) <= index(s);
}
/// Keys up to the query's own position counted from the end of both.
template <dimension S, dimension T>
constexpr auto causal(S s, T t, bottom_right_t) {
  return index(t) <= index(s) + (length(t) - length(s));
}
/// Keys from s - left to s + right.
template <dimension S, dimension T>
constexpr auto window(S s, T t, long left, long right) {
  return index(s) - index(t) <= left && index(t) - index(s) <= right;
}
/// Keys at or beyond their sequence's length, one number a batch entry: drop(padding(t, lengths)).
template <dimension T, expression L>
constexpr auto padding(T t, L&& lengths) {
  return index(t) >= static_cast<L&&>(lengths);
}
/// Keys of the query's own document, each given by its id.
template <expression A, expression B>
constexpr auto same_document(A&& ids_q, B&& ids_k) {
  return static_cast<A&&>(ids_q) == static_cast<B&&>(ids_k);
}

} // namespace attend
