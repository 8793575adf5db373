// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Products of tensors with what rides along: residual + activation(scale * contract(x, y, dims) + bias).
#pragma once
#include <attend/codegen/regions.hpp>
#include <attend/codegen/algebra.hpp>

namespace attend::codegen::inline ATTEND_DETAIL_ISA::detail {

/// The types whose sums are kept in f32, which is what matrix libraries have kernels for.
template <class T>
inline constexpr bool matrix_type = std::is_same_v<T, float> || half_precision<T>;
template <class Op>
inline constexpr bool is_activation = in<Op, types<op::relu, op::gelu, op::gelu_tanh, op::sigmoid, op::tanh>>;

/// No match.
struct no_product {};
template <class X>
inline constexpr bool is_product = !std::is_same_v<std::remove_cvref_t<X>, no_product>;

/// A product without epilogue: what a scale may still join.
template <class M>
inline constexpr bool is_bare = false;
template <class X, class Y, class D>
inline constexpr bool is_bare<product<X, Y, D, void, nothing, nothing>> = true;

/// Whether a machine's library does what follows its sums before it rounds them. cuBLASLt has few functions, and adds
/// nothing behind one; in 16 bits the rest is then a pass of its own over sums in f32. In f32 that pass is over the result.
template <class M, class Activation, bool Adds = false>
inline constexpr bool rides_along = !std::is_same_v<typename M::space, struct cuda> || !half_precision<typename M::value_type> ||
                                    (in<Activation, types<void, op::relu, op::gelu_tanh>> && !(Adds && !std::is_void_v<Activation>));

/// One overload per layer of the formula, from the inside: the contraction, its scale, its bias, its activation, its
/// residual. Bias and residual must not widen the product.
struct product_match {
  template <class X>
  static auto of(X const&) { return no_product{}; }
  template <class X, class Y, class D>
  static auto of(contraction<X, Y, D> const& e) {
    if constexpr (floating<typename X::value_type> && floating<typename Y::value_type>)
      return product<X, Y, D, void, nothing, nothing>{e.x, e.y, {}, {}, {{}, 1}};
    else return no_product{};
  }
  template <class X>
  static auto of(elementwise<op::mul, X, scalar<double>> const& e) {
    auto m = of(operand_of<0>(e));
    if constexpr (is_bare<decltype(m)>) m.scale.value *= operand_of<1>(e).value;
    if constexpr (is_bare<decltype(m)>) return m;
    else return no_product{};
  }
  template <class X, class Y>
  static auto of(elementwise<op::add, X, Y> const& e) {
    auto const m = of(operand_of<0>(e));
    if constexpr (is_product<decltype(m)> && minus_t<typename Y::shape::dims, typename X::shape::dims>::size == 0 && floating<typename Y::value_type> &&
                  (!std::is_same_v<typename Y::value_type, double> || std::is_same_v<typename X::value_type, double>))
      return added(m, operand_of<1>(e));
    else return no_product{};
  }
  template <class Op, class X>
    requires is_activation<Op>
  static auto of(elementwise<Op, X> const& e) { return activated<Op>(of(operand_of<0>(e))); }

private:
  template <class X, class Y, class D, class B>
  static auto added(product<X, Y, D, void, nothing, nothing> const& m, B const& bias) { return product<X, Y, D, void, B, nothing>{m.x, m.y, bias, {}, m.scale}; }
  template <class X, class Y, class D, class A, class B, class R>
  static auto added(product<X, Y, D, A, B, nothing> const& m, R const& residual) {
    if constexpr (rides_along<product<X, Y, D, A, B, nothing>, A, true>) return product<X, Y, D, A, B, R>{m.x, m.y, m.bias, residual, m.scale};
    else return no_product{};
  }
  template <class X, class Y, class D, class A, class B, class Old, class R>
  static auto added(product<X, Y, D, A, B, Old> const&, R const&) { return no_product{}; }

  template <class Op, class X, class Y, class D, class B>
  static auto activated(product<X, Y, D, void, B, nothing> const& m) {
    if constexpr (rides_along<product<X, Y, D, void, B, nothing>, Op>) return product<X, Y, D, Op, B, nothing>{m.x, m.y, m.bias, {}, m.scale};
    else return no_product{};
  }
  template <class Op, class M>
  static auto activated(M const&) { return no_product{}; }
};

} // namespace attend::codegen::inline ATTEND_DETAIL_ISA::detail
