// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The laws that bring equal expressions to one canonical tree, operation by operation: arguments are canonical already,
// results are. Numbers move outwards through products, masks outwards through sums, the operand with the product comes
// first, and a softmax is known however it was written.
#pragma once
#include <attend/codegen/push.hpp>

namespace attend::codegen::inline ATTEND_DETAIL_ISA::detail {

/// A canonical tree times a number; only floating trees, so that whole numbers stay exact.
template <class X>
using scaled = elementwise<op::mul, X, scalar<double>>;
template <class X>
inline constexpr bool is_scaled = false;
template <class X>
inline constexpr bool is_scaled<scaled<X>> = floating<typename X::value_type>;
template <class X>
inline constexpr bool is_number = is_scalar<X> && !std::is_same_v<typename X::value_type, bool>;

template <class X>
auto const& unscaled(X const& x) {
  if constexpr (is_scaled<X>) return operand_of<0>(x);
  else return x;
}
template <class X>
double factor(X const& x) {
  if constexpr (is_scaled<X>) return operand_of<1>(x).value;
  else return 1;
}

/// Which of some counts is 1.
template <int... Counts>
inline constexpr int place_of_one = [] {
  int i = 0, found = 0;
  ((Counts == 1 ? void(found = i) : void(), ++i), ...);
  return found;
}();

/// How many contractions an elementwise tree is around.
template <class X>
inline constexpr int products = 0;
template <class Op, class... X>
inline constexpr int products<elementwise<Op, X...>> = (products<X> + ...);
template <class X, class Y, class D, class O>
inline constexpr int products<contraction<X, Y, D, O>> = 1;

/// How many softmaxes an elementwise tree is around.
template <class X>
inline constexpr int softmaxes = 0;
template <class Op, class... X>
inline constexpr int softmaxes<elementwise<Op, X...>> = (softmaxes<X> + ...);
template <class X, class D, class P, class O>
inline constexpr int softmaxes<softmax_node<X, D, P, O>> = 1;

// Moving a mask outwards through a sum must not lose dims: what is added has to be no wider than the scores.
template <class X>
inline constexpr bool is_masked = false;
template <class M, class X>
inline constexpr bool is_masked<elementwise<op::masked, M, X>> = true;

/// Whether an elementwise tree is around a reduction over these dims.
template <class X, class Dims>
inline constexpr bool reduced_over = false;
template <class Op, class... X, class Dims>
inline constexpr bool reduced_over<elementwise<Op, X...>, Dims> = (reduced_over<X, Dims> || ...);
template <class Op, class X, class Dims>
inline constexpr bool reduced_over<reduction<Op, X, Dims>, Dims> = true;

template <class Op, class X>
using result_of = typename elementwise<Op, X>::value_type;
/// Whether an operation is a cast that changes no number of a tree.
template <class Op, class X>
inline constexpr bool widens = false;
template <class T, class X>
  requires(floating<T> && floating<typename X::value_type> && !is_scalar<X>)
inline constexpr bool widens<op::cast<T>, X> = attend::detail::type_rank<T> > attend::detail::type_rank<typename X::value_type>;

/// Recognise says whether a softmax written by hand becomes one; without, the tree stays as written (the guard's way out).
template <bool Recognise>
struct algebra {
  template <class X>
  static auto scale_by(X const& x, double a) {
    if constexpr (is_number<X>) return scalar<double>{{}, static_cast<double>(x.value) * a};
    else if constexpr (is_scaled<X>) return X{{}, {{operand_of<0>(x)}, {{{}, operand_of<1>(x).value * a}}}};
    else return scaled<X>{{}, {{x}, {{{}, a}}}};
  }

  // ---- two operands
  template <class X, class Y>
  static auto add(X const& x, Y const& y) {
    if constexpr (is_number<X> && is_number<Y>) return folded(x, y, x.value + y.value);
    else if constexpr (is_masked<X>) return masked_by(operand_of<0>(x), add(operand_of<1>(x), y));
    else if constexpr (is_masked<Y>) return masked_by(operand_of<0>(y), add(x, operand_of<1>(y)));
    else if constexpr (products<X> == 0 && products<Y> != 0) return elementwise_of<op::add>(y, x);
    else return elementwise_of<op::add>(x, y);
  }
  template <class X, class Y>
  static auto sub(X const& x, Y const& y) {
    if constexpr (is_number<X> && is_number<Y>) return folded(x, y, x.value - y.value);
    else if constexpr (is_masked<X> && !is_masked<Y>) return masked_by(operand_of<0>(x), sub(operand_of<1>(x), y));
    else return elementwise_of<op::sub>(x, y);
  }
  template <class X, class Y>
  static auto mul(X const& x, Y const& y) {
    if constexpr (is_number<X> && is_number<Y>) return folded(x, y, x.value * y.value);
    else if constexpr (is_number<Y> && floating<typename X::value_type>) return scale_by(x, static_cast<double>(y.value));
    else if constexpr (is_number<X> && floating<typename Y::value_type>) return scale_by(y, static_cast<double>(x.value));
    else if constexpr (is_number<X>) return elementwise_of<op::mul>(y, x);
    else if constexpr (is_number<Y>) return elementwise_of<op::mul>(x, y);
    else if constexpr (is_scaled<X> || is_scaled<Y>) return scale_by(mul(unscaled(x), unscaled(y)), factor(x) * factor(y));
    else if constexpr (products<X> == 0 && products<Y> != 0) return elementwise_of<op::mul>(y, x);
    else return elementwise_of<op::mul>(x, y);
  }
  template <class X, class Y>
  static auto div(X const& x, Y const& y) {
    if constexpr (is_number<X> && is_number<Y>) return scalar<double>{{}, static_cast<double>(x.value) / static_cast<double>(y.value)};
    else if constexpr (is_number<Y> && floating<typename X::value_type>) return scale_by(x, 1 / static_cast<double>(y.value));
    else if constexpr (Recognise) return softmax_or_div(x, y);
    else return elementwise_of<op::div>(x, y);
  }
  template <class M, class X>
  static auto masked_by(M const& m, X const& x) {
    if constexpr (is_masked<X>) return masked_by(elementwise_of<op::both>(operand_of<0>(x), m), operand_of<1>(x));
    else return elementwise_of<op::masked>(m, x);
  }

  template <class X, class C>
  static auto kept_by(X const& x, C const& c) {
    if constexpr (is_scaled<X>) return scale_by(kept_by(operand_of<0>(x), c), factor(x));
    else return elementwise_of<op::kept>(x, c);
  }

  // ---- products
  template <class X, class Y, class... D>
  static auto product(X const& x, Y const& y, types<D...>) {
    auto const& a = unscaled(x);
    auto const& b = unscaled(y);
    auto const r = contraction<std::remove_cvref_t<decltype(a)>, std::remove_cvref_t<decltype(b)>, types<D...>>{{}, a, b};
    if constexpr (is_scaled<X> || is_scaled<Y>) return scale_by(r, factor(x) * factor(y));
    else return r;
  }

  // ---- softmax
  template <class Empty, class X, class... D>
  static auto softmax(X const& x, types<D...> dims, bool guard) {
    auto const y = unshifted(x, dims);
    return softmax_node<std::remove_cv_t<decltype(y)>, types<D...>, Empty, no_orientation>{{}, y, guard};
  }

  // ---- one operand
  template <class Op, class X>
  static auto apply(Op, X const& x) {
    if constexpr (std::is_same_v<Op, op::neg> && (floating<typename X::value_type> || is_number<X>)) return scale_by(x, -1);
    else if constexpr (std::is_same_v<Op, op::cast<typename X::value_type>> && !is_scalar<X>) return x;
    else if constexpr (widens<Op, X>) return elementwise_of<op::counted_as<result_of<Op, X>>>(x);
    else return elementwise_of<Op>(x);
  }
  template <class Op, class X, class Y>
  static auto apply(Op, X const& x, Y const& y) {
    if constexpr (std::is_same_v<Op, op::add>) return add(x, y);
    else if constexpr (std::is_same_v<Op, op::sub>) return sub(x, y);
    else if constexpr (std::is_same_v<Op, op::mul>) return mul(x, y);
    else if constexpr (std::is_same_v<Op, op::div>) return div(x, y);
    else if constexpr (std::is_same_v<Op, op::masked>) return masked_by(x, y);
    else if constexpr (std::is_same_v<Op, op::kept>) return kept_by(x, y);
    else return elementwise_of<Op>(x, y);
  }
  template <class Op, class X, class Y, class Z>
  static auto apply(Op, X const& x, Y const& y, Z const& z) {
    if constexpr (std::is_same_v<Op, op::filled>) return elementwise_of<op::where>(x, y, z);
    else return elementwise_of<Op>(x, y, z);
  }

private:
  // Whole numbers stay whole where both are.
  template <class X, class Y, class V>
  static auto folded(X const&, Y const&, V value) { return scalar<V>{{}, value}; }

  // What does not depend on the softmax dims can be taken off: softmax(x - m) is softmax(x). Only what is reduced over
  // those dims, such as the maximum, is: a tensor may hold minus infinity for a row, which masks it.
  template <class X, class M, class... D>
  static constexpr bool is_shift =
      reduced_over<M, types<D...>> && !(has<M, D> || ...) && attend::detail::minus_t<typename M::shape::dims, typename X::shape::dims>::size == 0;
  template <class X, class... D>
  static auto unshifted(X const& x, types<D...>) { return x; }
  template <class X, class M, class... D>
  static auto unshifted(elementwise<op::sub, X, M> const& e, types<D...> dims) {
    if constexpr (is_shift<X, M, D...> && (has<X, D> && ...)) return unshifted(operand_of<0>(e), dims);
    else return e;
  }
  template <class X, class M, class... D>
  static auto unshifted(elementwise<op::add, X, M> const& e, types<D...> dims) {
    if constexpr (is_shift<X, M, D...> && (has<X, D> && ...)) return unshifted(operand_of<0>(e), dims);
    else return e;
  }
  template <class K, class X, class... D>
  static auto unshifted(elementwise<op::masked, K, X> const& e, types<D...> dims) { return masked_by(operand_of<0>(e), unshifted(operand_of<1>(e), dims)); }

  template <class X, class Y>
  static auto softmax_or_div(X const& x, Y const& y) { return elementwise_of<op::div>(x, y); }
  // exp(x) / sum(exp(x), t); numerator and denominator are one only if their memory is: the guard
  template <class X, class D>
  static auto softmax_or_div(elementwise<op::exp, X> const& a, reduction<op::sum, elementwise<op::exp, X>, D> const& b) {
    return softmax<empty_row::zeros_t>(operand_of<0>(a), D{}, same(a, b.x));
  }
  // contract(exp(x), v, t) / sum(exp(x), t)
  template <class X, class V, class D>
  static auto softmax_or_div(contraction<elementwise<op::exp, X>, V, D> const& a, reduction<op::sum, elementwise<op::exp, X>, D> const& b) {
    return product(softmax<empty_row::zeros_t>(operand_of<0>(a.x), D{}, same(a.x, b.x)), a.y, D{});
  }
  template <class X, class V, class D>
  static auto softmax_or_div(contraction<V, elementwise<op::exp, X>, D> const& a, reduction<op::sum, elementwise<op::exp, X>, D> const& b) {
    return product(softmax<empty_row::zeros_t>(operand_of<0>(a.y), D{}, same(a.y, b.x)), a.x, D{});
  }
  template <class X, class Y>
    requires is_scaled<X>
  static auto softmax_or_div(X const& x, Y const& y) { return scale_by(div(unscaled(x), y), factor(x)); }
};

} // namespace attend::codegen::inline ATTEND_DETAIL_ISA::detail
