// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Several results of one evaluation: a result that stands inside another is computed first and read by the other.
#pragma once
#include <attend/codegen/run.hpp>
#include <tuple>

namespace attend::codegen {
namespace detail {

/// A canonical tree with every occurrence of Part replaced by the tensor that holds its value;
/// `differs` tells that one has Part's type and other tensors.
template <class Part, class V>
struct replacing {
  Part const& part;
  V const& value;
  bool& differs;

  // A result of 16 bits is read only where a product would round its operand to them anyway.
  template <class X>
  auto of(X const& x) const {
    if constexpr (half_precision<typename Part::value_type>) return inner(x);
    else return operand(x);
  }
  template <class X>
  auto operand(X const& x) const {
    if constexpr (std::is_same_v<X, Part>) {
      differs = differs || !same(x, part);
      return value;
    } else return inner(x);
  }

private:
  template <class X>
  auto inner(X const& x) const { return x; }
  template <class Op, class... X>
  auto inner(elementwise<Op, X...> const& e) const {
    return [&]<int... I>(std::integer_sequence<int, I...>) { return rebuilt<Op>(of(operand_of<I>(e))...); }(std::make_integer_sequence<int, sizeof...(X)>{});
  }
  template <class Op, class... X>
  static auto rebuilt(X const&... x) { return elementwise<Op, X...>{{}, {{x}...}}; }
  template <class X, class Y, class D>
  auto inner(contraction<X, Y, D> const& e) const {
    auto const x = operand(e.x);
    auto const y = operand(e.y);
    return contraction<std::remove_cv_t<decltype(x)>, std::remove_cv_t<decltype(y)>, D>{{}, x, y};
  }
  template <class Op, class X, class D>
  auto inner(reduction<Op, X, D> const& e) const {
    auto const x = of(e.x);
    return reduction<Op, std::remove_cv_t<decltype(x)>, D>{{}, x};
  }
  template <class X, class D, class P, class O>
  auto inner(softmax_node<X, D, P, O> const& e) const {
    auto const x = of(e.x);
    return softmax_node<std::remove_cv_t<decltype(x)>, D, P, O>{{}, x, e.guard};
  }
  template <class T, class I, class D>
  auto inner(gather_node<T, I, D> const& e) const {
    auto const table = of(e.table);
    auto const ids = of(e.ids);
    return gather_node<std::remove_cv_t<decltype(table)>, std::remove_cv_t<decltype(ids)>, D>{{}, table, ids};
  }
  template <class X, class D, class C>
  auto inner(merged<X, D, C> const& e) const {
    auto const x = of(e.x);
    return merged<std::remove_cv_t<decltype(x)>, D, C>{{}, x};
  }
  template <class X, class T, class S, class... A>
  auto inner(buffer<X, T, S, A...> const& b) const {
    auto const x = of(b.x);
    buffer<std::remove_cv_t<decltype(x)>, T, S, A...> c{{}, x, {}, {}, 0, {}, nullptr, true};
    c.same_memory(b);
    for (int i = 0; i < b.rank; ++i) c.extents[i] = b.extents[i], c.strides[i] = b.strides[i];
    return c;
  }
};

// Leaves are no parts worth a thought: replacing a tensor by its copy would share nothing.
template <class X, class Part, class V>
auto replaced(X const& x, Part const& part, V const& value, bool& differs) {
  if constexpr (is_leaf<Part> || std::is_same_v<X, Part>) return x;
  else return replacing<Part, V>{part, value, differs}.of(x);
}

template <class X, class Part, class V>
inline constexpr bool contains = !std::is_same_v<X, std::remove_cv_t<decltype(replaced(std::declval<X const&>(), std::declval<Part const&>(), std::declval<V const&>(), std::declval<bool&>()))>>;

/// Tree number I with every other result that it contains read instead of computed.
template <std::size_t I, std::size_t J, class X, class Trees, class Outs>
void run_reading(X const& tree, Trees const& trees, Outs const& outs) {
  if constexpr (J == std::tuple_size_v<Trees>) run<true>(tree, std::get<I>(outs));
  else if constexpr (I == J) run_reading<I, J + 1>(tree, trees, outs);
  else {
    auto const value = std::get<J>(outs).readable();
    using Part = std::tuple_element_t<J, Trees>;
    if constexpr (!contains<X, Part, std::remove_cv_t<decltype(value)>>) run_reading<I, J + 1>(tree, trees, outs);
    else {
      bool differs = false;
      auto const shared = replaced(tree, std::get<J>(trees), value, differs);
      if (differs) run_reading<I, J + 1>(tree, trees, outs);
      else run_reading<I, J + 1>(shared, trees, outs);
    }
  }
}

/// How many of the others tree I contains: none is computed before those it contains.
template <std::size_t I, class Trees, class Outs>
constexpr int depth_of() {
  return [&]<std::size_t... J>(std::index_sequence<J...>) {
    return ((I != J && contains<std::tuple_element_t<I, Trees>, std::tuple_element_t<J, Trees>, std::remove_cvref_t<decltype(std::declval<std::tuple_element_t<J, Outs>>().readable())>>) + ... + 0);
  }(std::make_index_sequence<std::tuple_size_v<Trees>>{});
}

} // namespace detail

/// Runs several canonical trees into their results.
template <class Trees, class Outs>
void run_together(Trees const& trees, Outs const& outs) {
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    for (int depth = 0; depth < static_cast<int>(sizeof...(I)); ++depth)
      ((detail::depth_of<I, Trees, Outs>() == depth ? detail::run_reading<I, 0>(std::get<I>(trees), trees, outs) : void()), ...);
  }(std::make_index_sequence<std::tuple_size_v<Trees>>{});
}

} // namespace attend::codegen
