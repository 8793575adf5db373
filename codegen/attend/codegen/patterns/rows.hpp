// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reduce, then map: a tree whose reductions all run over the same inner dims of the same rows is one pass over rows.
// Softmax, layer norm, mean, log-sum-exp and any user's normalisation are this pattern.
#pragma once
#include <attend/codegen/algebra.hpp>
#include <attend/codegen/regions.hpp>

namespace attend::codegen::inline ATTEND_DETAIL_ISA::detail {

template <class A, class B>
inline constexpr bool same_dims = minus_t<A, B>::size == 0 && minus_t<B, A>::size == 0;

/// Axes of a shape, of the dims in a list.
template <class Shape, class Dims>
struct axes_of;
template <class... A, class Dims>
struct axes_of<shape<A...>, Dims> {
  using type = apply_list_t<concat_t<types<>, std::conditional_t<in<typename A::dim, Dims>, types<A>, types<>>...>, shape>;
};
/// Whether what is reduced over Inner is as long as the rows, as far as the compiler knows: a dim that is summed over may
/// bear the name of another one outside.
template <class X, class Inner>
inline constexpr bool as_long = std::is_void_v<clash_t<Inner, typename X::shape>>;

/// The inner axes of the first reduction in X that X's rows can hold, or void. Shape is X's.
template <class X, class Shape>
struct inner_axes {
  using type = void;
};
template <class Shape, class... X>
struct first_inner {
  using type = void;
};
template <class Shape, class X, class... Rest>
struct first_inner<Shape, X, Rest...> {
  using here = typename inner_axes<X, Shape>::type;
  using type = typename std::conditional_t<std::is_void_v<here>, first_inner<Shape, Rest...>, std::type_identity<here>>::type;
};
template <class Op, class... X, class Shape>
struct inner_axes<elementwise<Op, X...>, Shape> : first_inner<Shape, X...> {};
template <class Op, class X, class D, class Shape>
struct inner_axes<reduction<Op, X, D>, Shape> {
  using axes = typename axes_of<typename X::shape, D>::type;
  static constexpr bool fits = same_dims<typename reduction<Op, X, D>::shape::dims, minus_t<typename Shape::dims, D>> && std::is_void_v<clash_t<axes, Shape>>;
  using type = std::conditional_t<fits, axes, void>;
};
template <class X, class D, class P, class O, class Shape>
struct inner_axes<softmax_node<X, D, P, O>, Shape> {
  using type = std::conditional_t<same_dims<typename X::shape::dims, typename Shape::dims>, typename axes_of<typename X::shape, D>::type, void>;
};

/// A tree without its reductions, and the stages that compute them.
template <class Tree, class... Stages>
struct extracted {
  using tree_type = Tree;
  Tree tree;
  attend::detail::pack<Stages...> stages;
};

/// One overload per kind of node. Outer: the other dims of the rows; Axes: the inner ones, with extents.
template <class Outer, class Axes>
struct extracting {
  using Inner = typename Axes::dims;

  template <class X, class N, class... S>
  static auto of(X const& x, attend::detail::pack_of<N, S...> const& stages) {
    if constexpr (is_plain<X>) return extracted<X, S...>{x, stages};
    else return inner(x, stages);
  }

private:
  template <class X, class N, class... S>
  static auto inner(X const& x, attend::detail::pack_of<N, S...> const& stages) { return extracted<X, S...>{x, stages}; }
  template <class Op, class X, class N, class... S>
  static auto inner(elementwise<Op, X> const& e, attend::detail::pack_of<N, S...> const& s) {
    return with(of(operand_of<0>(e), s), [](auto const& x) { return elementwise<Op, std::remove_cvref_t<decltype(x)>>{{}, {{x}}}; });
  }
  template <class Op, class X, class Y, class N, class... S>
  static auto inner(elementwise<Op, X, Y> const& e, attend::detail::pack_of<N, S...> const& s) {
    auto const a = of(operand_of<0>(e), s);
    return with(of(operand_of<1>(e), a.stages), [&](auto const& y) { return elementwise<Op, typename std::remove_cvref_t<decltype(a)>::tree_type, std::remove_cvref_t<decltype(y)>>{{}, {{a.tree}, {y}}}; });
  }
  template <class Op, class X, class Y, class Z, class N, class... S>
  static auto inner(elementwise<Op, X, Y, Z> const& e, attend::detail::pack_of<N, S...> const& s) {
    auto const a = of(operand_of<0>(e), s);
    auto const b = of(operand_of<1>(e), a.stages);
    return with(of(operand_of<2>(e), b.stages), [&](auto const& z) {
      return elementwise<Op, typename std::remove_cvref_t<decltype(a)>::tree_type, typename std::remove_cvref_t<decltype(b)>::tree_type, std::remove_cvref_t<decltype(z)>>{{}, {{a.tree}, {b.tree}, {z}}};
    });
  }
  template <class Op, class X, class N, class... S>
  static auto inner(reduction<Op, X, Inner> const& e, attend::detail::pack_of<N, S...> const& s) {
    if constexpr (!same_dims<typename reduction<Op, X, Inner>::shape::dims, Outer> || !as_long<X, Axes>) return extracted<reduction<Op, X, Inner>, S...>{e, s};
    else {
      auto const x = of(e.x, s);
      if constexpr (std::is_same_v<Op, op::logsumexp>) {
        auto const m = stage_of<op::max>(x.tree, x.stages);
        auto const l = stage_of<op::add>(map<op::softmax_term<empty_row::zeros_t>>(x.tree, m.tree), m.stages);
        // of nothing: minus infinity plus the logarithm of zero
        return with(l, [&](auto const& sum) { return map<op::add>(m.tree, map<op::log>(sum)); });
      } else {
        using Reduce = std::conditional_t<std::is_same_v<Op, op::sum>, op::add, Op>;
        return stage_of<Reduce>(x.tree, x.stages);
      }
    }
  }
  template <class X, class P, class O, class N, class... S>
  static auto inner(softmax_node<X, Inner, P, O> const& e, attend::detail::pack_of<N, S...> const& s) {
    if constexpr (!same_dims<typename X::shape::dims, concat_t<Outer, Inner>> || !as_long<X, Axes>) return extracted<softmax_node<X, Inner, P, O>, S...>{e, s};
    else {
      auto const x = of(e.x, s);
      auto const m = stage_of<op::max>(x.tree, x.stages);
      auto const l = stage_of<op::add>(map<op::softmax_term<P>>(x.tree, m.tree), m.stages);
      return with(l, [&](auto const& sum) { return map<op::softmax_weight<P>>(x.tree, m.tree, sum); });
    }
  }

  template <class Tree, class... S, class F>
  static auto with(extracted<Tree, S...> const& e, F const& f) {
    auto tree = f(e.tree);
    return extracted<decltype(tree), S...>{tree, e.stages};
  }
  // A further stage: its result is the next placeholder.
  template <class Op, class X, class N, class... S>
  static auto stage_of(X const& x, attend::detail::pack_of<N, S...> const& s) {
    using Result = placeholder<sizeof...(S), accumulate_t<typename X::value_type>>;
    return with_values(s, [&](S const&... before) { return extracted<Result, S..., stage<Op, X>>{{}, {{before}..., {{x}}}}; });
  }
};

} // namespace attend::codegen::inline ATTEND_DETAIL_ISA::detail
