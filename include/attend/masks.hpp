// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Masks: a condition becomes one by keep() or drop(), so that polarity is part of the type.
#pragma once
#include <attend/elementwise.hpp>

namespace attend {

namespace detail {

template <class M>
using dims_shown_mask = apply_list_t<typename M::shape::dims, dims_of_mask>;

template <template <class> class Mask, class M>
constexpr auto mask_of(M m) {
  if constexpr (broken<M>) return ill_formed{};
  else if constexpr (!is_bool<M>) return violation<rule::mask_is_condition<type_of_x<typename M::value_type>>>{};
  else return Mask<M>{std::move(m)};
}

template <class X, class M>
constexpr auto mask_fits() {
  if constexpr (broken<X> || broken<M>) return ill_formed{};
  else if constexpr (is_bool<X>) return violation<rule::arithmetic_on_bool<dims_shown_x<X>>>{};
  else if constexpr (minus_t<typename M::shape::dims, typename X::shape::dims>::size > 0) return violation<rule::mask_within_scores<dims_shown_mask<M>, dims_shown_x<X>>>{};
  else return meeting<X, M>();
}
template <class X, class M>
inline constexpr bool fits_mask = std::is_same_v<decltype(mask_fits<X, M>()), fine>;
template <class X, class M>
constexpr auto mask_by(X x, M kept) {
  if constexpr (!fits_mask<X, M>) return mask_fits<X, M>();
  else return elementwise<op::masked, M, X>{{}, {{std::move(kept)}, {std::move(x)}}};
}
template <class X, class M>
constexpr auto fill_by(X x, M kept, double fill) {
  if constexpr (!fits_mask<X, M>) return mask_fits<X, M>();
  else return map<op::filled>(std::move(kept), std::move(x), scalar<double>{{}, fill});
}
template <class X, class M>
constexpr auto without_polarity() {
  if constexpr (broken<X> || broken<M>) return ill_formed{};
  else return violation<rule::mask_with_polarity<dims_shown_mask<M>>>{};
}

} // namespace detail

/// A mask that keeps where m holds.
template <expression M>
constexpr auto keep(M&& m) {
  return detail::reported(detail::mask_of<keep_mask>(detail::lift(static_cast<M&&>(m))));
}
/// A mask that drops where m holds.
template <expression M>
constexpr auto drop(M&& m) {
  return detail::reported(detail::mask_of<drop_mask>(detail::lift(static_cast<M&&>(m))));
}

/// x where the mask keeps, else minus infinity. Every dim of the mask must be one of x.
template <expression X, class M>
constexpr auto masked(X&& x, keep_mask<M> m) {
  return detail::reported(detail::mask_by(detail::lift(static_cast<X&&>(x)), std::move(m.m)));
}
template <expression X, class M>
constexpr auto masked(X&& x, drop_mask<M> m) {
  return detail::reported(detail::mask_by(detail::lift(static_cast<X&&>(x)), detail::map<op::no>(std::move(m.m))));
}
/// x where the mask keeps, else the finite `fill`: a row with nothing kept becomes uniform.
template <expression X, class M>
constexpr auto masked(X&& x, keep_mask<M> m, double fill) {
  return detail::reported(detail::fill_by(detail::lift(static_cast<X&&>(x)), std::move(m.m), fill));
}
template <expression X, class M>
constexpr auto masked(X&& x, drop_mask<M> m, double fill) {
  return detail::reported(detail::fill_by(detail::lift(static_cast<X&&>(x)), detail::map<op::no>(std::move(m.m)), fill));
}
template <expression X, expression M>
constexpr auto masked(X&&, M&&, double = 0) {
  return detail::reported(detail::without_polarity<detail::lifted<X>, detail::lifted<M>>());
}

namespace detail {
template <class M>
inline constexpr bool is_mask = false;
template <class M>
inline constexpr bool is_mask<keep_mask<M>> = true;
template <class M>
inline constexpr bool is_mask<drop_mask<M>> = true;
template <class X, class Y>
concept number_and_mask = (operand<X> && is_mask<std::remove_cvref_t<Y>>) || (is_mask<std::remove_cvref_t<X>> && operand<Y>);

template <class X>
constexpr auto dims_of_either() {
  if constexpr (is_mask<X>) return std::type_identity<dims_shown_mask<decltype(X::m)>>{};
  else return std::type_identity<dims_shown_x<lifted<X>>>{};
}
template <class X, class Y>
constexpr auto mask_in_arithmetic() {
  if constexpr (broken<X> || broken<Y>) return ill_formed{};
  else return violation<rule::mask_is_no_number<typename decltype(dims_of_either<X>())::type, typename decltype(dims_of_either<Y>())::type>>{};
}
} // namespace detail

// A mask is no number: masked(x, keep(m)) is the way in.
#define ATTEND_NO_MASK(NAME)                                                                                           \
  template <class X, class Y>                                                                                          \
    requires detail::number_and_mask<X, Y>                                                                             \
  constexpr auto NAME(X&&, Y&&) {                                                                                      \
    return detail::reported(detail::mask_in_arithmetic<std::remove_cvref_t<X>, std::remove_cvref_t<Y>>());             \
  }
ATTEND_NO_MASK(operator+)
ATTEND_NO_MASK(operator-)
ATTEND_NO_MASK(operator*)
ATTEND_NO_MASK(operator/)
ATTEND_NO_MASK(hadamard)
#undef ATTEND_NO_MASK

/// Aligns the last query with the last key, as when new queries meet a longer key cache.
struct bottom_right_t {};
inline constexpr bottom_right_t bottom_right{};

/// Keys up to the query's own position: t <= s.
template <dimension S, dimension T>
constexpr auto causal(S s, T t) {
  return index(t) <= index(s);
}
template <class S, class T>
constexpr auto causal(S, T) {
  return detail::reported(detail::unnamed<S, T>());
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
template <class S, class T>
constexpr auto window(S, T, long, long) {
  return detail::reported(detail::unnamed<S, T>());
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
