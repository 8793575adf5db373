// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Elementwise operations as a user writes them, broadcast by name.
#pragma once
#include <attend/nodes.hpp>

namespace attend {

/// A plain number beside expressions.
template <class T>
concept number = !expression<T> && (std::is_arithmetic_v<std::remove_cvref_t<T>> || half_precision<std::remove_cvref_t<T>>);
template <class T>
concept operand = expression<T> || number<T>;
/// Operands of an operator: at least one of them an expression.
template <class X, class Y>
concept operands = operand<X> && operand<Y> && (expression<X> || expression<Y>);

namespace detail {

// Numbers are held as f64 or int64 until a number type takes them.
template <class X>
constexpr auto lift(X&& x) {
  using T = std::remove_cvref_t<X>;
  if constexpr (!number<X>) {
    auto node = as_node(static_cast<X&&>(x));
    return node;
  } else if constexpr (std::is_same_v<T, bool>) return scalar<bool>{{}, x};
  else if constexpr (std::is_integral_v<T>) return scalar<std::int64_t>{{}, static_cast<std::int64_t>(x)};
  else return scalar<double>{{}, static_cast<double>(x)};
}
template <class X>
using lifted = decltype(lift(std::declval<X>()));

template <class X>
inline constexpr bool is_bool = std::is_same_v<typename X::value_type, bool>;
template <class X>
using dims_shown_x = apply_list_t<typename X::shape::dims, dims_of_x>;
template <class X>
using dims_shown_y = apply_list_t<typename X::shape::dims, dims_of_y>;

template <class X, class... D>
using dimensions_missing = apply_list_t<minus_t<types<D...>, typename X::shape::dims>, dimension_named>;

template <class X, class Y>
inline constexpr bool space_clash = !std::is_same_v<typename X::space, anywhere> && !std::is_same_v<typename Y::space, anywhere> &&
                                    !std::is_same_v<typename X::space, typename Y::space>;

// The rules every operation of two operands shares.
template <class X, class Y>
constexpr auto meeting() {
  using D = clash_t<typename X::shape, typename Y::shape>;
  if constexpr (broken<X> || broken<Y>) return ill_formed{};
  else if constexpr (!std::is_void_v<D>)
    return violation<rule::same_extent<extents_of_x_and_y<D, extent_in<typename X::shape, D>, extent_in<typename Y::shape, D>>>>{};
  else if constexpr (space_clash<X, Y>)
    return violation<rule::one_memory_space<memory_of_x<typename X::space>, memory_of_y<typename Y::space>>>{};
  else return fine{};
}
template <class X, class Y>
inline constexpr bool meets = std::is_same_v<decltype(meeting<X, Y>()), fine>;

// What an operation answers that was given something else where it wants dims: a local variable may hide one.
template <class... A>
constexpr auto unnamed() {
  if constexpr ((broken<A> || ...)) return ill_formed{};
  else return violation<rule::dims_by_name<argument_given<A>...>>{};
}

template <class Op, class X>
constexpr auto map(X x) {
  if constexpr (broken<X>) return x;
  else return elementwise<Op, X>{{}, {{std::move(x)}}};
}
template <class Op, class X, class Y>
constexpr auto map(X x, Y y) {
  if constexpr (!meets<X, Y>) return meeting<X, Y>();
  else return elementwise<Op, X, Y>{{}, {{std::move(x)}, {std::move(y)}}};
}
template <class Op, class X, class Y, class Z>
constexpr auto map(X x, Y y, Z z) {
  if constexpr (!meets<X, Y>) return meeting<X, Y>();
  else if constexpr (!meets<Y, Z>) return meeting<Y, Z>();
  else if constexpr (!meets<X, Z>) return meeting<X, Z>();
  else return elementwise<Op, X, Y, Z>{{}, {{std::move(x)}, {std::move(y)}, {std::move(z)}}};
}

template <class Op, class X, class Y>
constexpr auto arithmetic(X x, Y y) {
  if constexpr (broken<X> || broken<Y>) return ill_formed{};
  else if constexpr (is_bool<X>) return violation<rule::arithmetic_on_bool<dims_shown_x<X>>>{};
  else if constexpr (is_bool<Y>) return violation<rule::arithmetic_on_bool<dims_shown_y<Y>>>{};
  else return map<Op>(std::move(x), std::move(y));
}
template <class Op, class... X>
constexpr auto logic(X... x) {
  if constexpr ((broken<X> || ...)) return ill_formed{};
  else if constexpr (!(is_bool<X> && ...)) return violation<rule::logic_on_bool<type_of_x<typename X::value_type>...>>{};
  else return map<Op>(std::move(x)...);
}
template <class Op, class X>
constexpr auto function(X x) {
  if constexpr (broken<X>) return ill_formed{};
  else if constexpr (is_bool<X>) return violation<rule::arithmetic_on_bool<dims_shown_x<X>>>{};
  else return map<Op>(std::move(x));
}

} // namespace detail

#define ATTEND_BINARY(HOW, NAME, OP)                                                                                   \
  template <class X, class Y>                                                                                          \
    requires operands<X, Y>                                                                                            \
  constexpr auto NAME(X&& x, Y&& y) {                                                                                  \
    return detail::reported(detail::HOW<OP>(detail::lift(static_cast<X&&>(x)), detail::lift(static_cast<Y&&>(y))));    \
  }
#define ATTEND_SWAPPED(HOW, NAME, OP)                                                                                  \
  template <class X, class Y>                                                                                          \
    requires operands<X, Y>                                                                                            \
  constexpr auto NAME(X&& x, Y&& y) {                                                                                  \
    return detail::reported(detail::HOW<OP>(detail::lift(static_cast<Y&&>(y)), detail::lift(static_cast<X&&>(x))));    \
  }
#define ATTEND_UNARY(HOW, NAME, OP)                                                                                    \
  template <expression X>                                                                                              \
  constexpr auto NAME(X&& x) {                                                                                         \
    return detail::reported(detail::HOW<OP>(detail::lift(static_cast<X&&>(x))));                                       \
  }
ATTEND_BINARY(arithmetic, operator+, op::add)
ATTEND_BINARY(arithmetic, operator-, op::sub)
ATTEND_BINARY(arithmetic, operator/, op::div)
/// The product of each element of x with y's of the same names.
ATTEND_BINARY(arithmetic, hadamard, op::mul)
/// The larger of each pair; a NaN is handed on.
ATTEND_BINARY(arithmetic, max, op::max)
/// The smaller of each pair; a NaN is handed on.
ATTEND_BINARY(arithmetic, min, op::min)
ATTEND_BINARY(arithmetic, pow, op::pow)
ATTEND_BINARY(arithmetic, operator<, op::less)
ATTEND_BINARY(arithmetic, operator<=, op::less_equal)
ATTEND_SWAPPED(arithmetic, operator>, op::less)
ATTEND_SWAPPED(arithmetic, operator>=, op::less_equal)
ATTEND_BINARY(map, operator==, op::equal)
ATTEND_BINARY(map, operator!=, op::not_equal)
ATTEND_BINARY(logic, operator&&, op::both)
ATTEND_BINARY(logic, operator||, op::either)
ATTEND_UNARY(logic, operator!, op::no)
ATTEND_UNARY(function, operator-, op::neg)
ATTEND_UNARY(function, abs, op::abs)
ATTEND_UNARY(function, floor, op::floor)
ATTEND_UNARY(function, exp, op::exp)
ATTEND_UNARY(function, log, op::log)
ATTEND_UNARY(function, sqrt, op::sqrt)
ATTEND_UNARY(function, rsqrt, op::rsqrt)
ATTEND_UNARY(function, sin, op::sin)
ATTEND_UNARY(function, cos, op::cos)
ATTEND_UNARY(function, tanh, op::tanh)
ATTEND_UNARY(function, erf, op::erf)
ATTEND_UNARY(function, sigmoid, op::sigmoid)
ATTEND_UNARY(function, relu, op::relu)
/// x (1 + erf(x / sqrt 2)) / 2 (Hendrycks and Gimpel, 2016).
ATTEND_UNARY(function, gelu, op::gelu)
/// The approximation of gelu by a tanh, from the same paper.
ATTEND_UNARY(function, gelu_tanh, op::gelu_tanh)
ATTEND_UNARY(function, silu, op::silu)
#undef ATTEND_BINARY
#undef ATTEND_SWAPPED
#undef ATTEND_UNARY

/// x where c holds, else y; c is a comparison or a bool tensor.
template <class C, class X, class Y>
  requires(expression<C> && operand<X> && operand<Y>)
constexpr auto where(C&& c, X&& x, Y&& y) {
  using A = detail::lifted<C>;
  if constexpr (detail::broken<A>) return ill_formed{};
  else if constexpr (!detail::is_bool<A>) return detail::reported(detail::violation<rule::where_needs_condition<type_of_x<typename A::value_type>>>{});
  else return detail::reported(detail::map<op::where>(detail::lift(static_cast<C&&>(c)), detail::lift(static_cast<X&&>(x)), detail::lift(static_cast<Y&&>(y))));
}

/// x converted to T: rounded to nearest even for floats, toward zero for integers, `x != 0` for bool.
template <class T, expression X>
constexpr auto cast(X&& x) {
  if constexpr (!element_type<T>) return detail::reported(detail::violation<rule::element_types<argument_given<T>>>{});
  else return detail::map<op::cast<T>>(detail::lift(static_cast<X&&>(x)));
}

/// The position along D, a whole number until it meets another: masks and biases are expressions of it.
template <dimension D>
constexpr index_node<D> index(D) {
  return {};
}
/// The extent of D in the expression this is part of, a whole number.
template <dimension D>
constexpr length_node<D> length(D) {
  return {};
}
template <class D>
constexpr auto index(D) {
  return detail::reported(detail::unnamed<D>());
}
template <class D>
constexpr auto length(D) {
  return detail::reported(detail::unnamed<D>());
}

} // namespace attend
