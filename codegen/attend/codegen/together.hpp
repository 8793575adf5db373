// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Several results of one evaluation. Weights, or log-sum-exps, of an attention that is among the results are written by
// its kernel; any other result that stands inside another is computed first and read by the other.
#pragma once
#include <attend/codegen/run.hpp>
#include <tuple>

namespace attend::codegen::inline ATTEND_DETAIL_ISA {
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
  auto operator()(X const& x) const {
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
  auto inner(X const& x) const { return with_subtrees(x, *this); }
  template <class X, class Y, class D>
  auto inner(contraction<X, Y, D> const& e) const { return product<D>(operand(e.x), operand(e.y)); }
  template <class D, class X, class Y>
  static auto product(X const& x, Y const& y) { return contraction<X, Y, D>{{}, x, y}; }
};

// Leaves are no parts worth a thought: replacing a tensor by its copy would share nothing.
template <class X, class Part, class V>
auto replaced(X const& x, Part const& part, V const& value, bool& differs) {
  if constexpr (is_leaf<Part> || std::is_same_v<X, Part>) return x;
  else return replacing<Part, V>{part, value, differs}(x);
}

template <class X, class Part, class V>
inline constexpr bool contains = !std::is_same_v<X, std::remove_cv_t<decltype(replaced(std::declval<X const&>(), std::declval<Part const&>(), std::declval<V const&>(), std::declval<bool&>()))>>;

/// Whether Part is the log-sum-exp of the scores of weights X.
template <class Part, class X>
inline constexpr bool sums_of_weights = false;
template <class F, class D, class P, class O>
inline constexpr bool sums_of_weights<reduction<op::logsumexp, F, D>, softmax_node<F, D, P, O>> = true;
template <class F, class D, class Op, class... X>
inline constexpr bool sums_of_weights<reduction<op::logsumexp, F, D>, elementwise<Op, X...>> = (sums_of_weights<reduction<op::logsumexp, F, D>, X> || ...);

/// Whether the fused kernel writes its weights too; else they are computed first, and the product reads them.
template <class Space>
inline constexpr bool kernel_writes_weights = !std::is_same_v<Space, struct cuda>;

/// A canonical tree whose attention, if its weights are Part (or Part's log-sum-exps are those of its scores), writes
/// them to a view as well.
template <class Part, class V>
struct recording {
  Part const& part;
  V const& view;
  bool& differs;

  template <class X>
  auto operator()(X const& x) const { return of(x); }

private:
  template <class X>
  auto of(X const& x) const { return with_subtrees(x, *this); }
  template <class X, class Y, class D>
  auto of(contraction<X, Y, D> const& e) const {
    if constexpr (is_not_fused<std::remove_cv_t<decltype(attention_match::of(e))>>) return product<D>((*this)(e.x), (*this)(e.y));
    else return product<D>(weights(e.x), weights(e.y));
  }
  template <class D, class X, class Y>
  static auto product(X const& x, Y const& y) { return contraction<X, Y, D>{{}, x, y}; }

  template <class X>
  auto weights(X const& x) const { return written(x, recorded_views<no_view, no_view>{}); }
  template <class X, class W, class L>
  auto weights(recorded<X, W, L> const& e) const { return written(e.x, e.to); }

  template <class X, class W, class L>
  auto written(X const& x, recorded_views<W, L> const& to) const {
    if constexpr (kernel_writes_weights<typename V::space> && std::is_same_v<W, no_view> && std::is_same_v<X, std::remove_cvref_t<decltype(unscaled(part))>>) {
      differs = differs || !same(x, unscaled(part));
      return recorded<X, V, L>{{}, x, {view, to.sums, factor(part)}};
    } else if constexpr (std::is_same_v<L, no_view> && sums_of_weights<Part, X>) {
      differs = differs || !same(finding_softmax::of(x).x, part.x);
      return recorded<X, W, V>{{}, x, {to.weights, view, to.weights_scale}};
    } else if constexpr (std::is_same_v<W, no_view> && std::is_same_v<L, no_view>) return x;
    else return recorded<X, W, L>{{}, x, to};
  }
};

template <class X, class Part, class V>
using recorded_tree = std::remove_cv_t<decltype(std::declval<recording<Part, V> const&>()(std::declval<X const&>()))>;

/// Which results of several are written by the kernel of which other, which read which, and in what order they run.
template <class Trees, class Outs>
struct order {
  static constexpr int count = static_cast<int>(std::tuple_size_v<Trees>);
  int writer[count]{};            // who writes result j: itself, or the attention whose weights it is
  bool reads[count][count]{};     // whether tree i reads result j
  int turn[count]{};              // of each tree; those that others write have none: -1

  constexpr order() {
    [this]<std::size_t... I>(std::index_sequence<I...>) { (this->template enter<I>(std::index_sequence<I...>{}), ...); }(std::make_index_sequence<static_cast<std::size_t>(count)>{});
    for (int j = 0; j < count; ++j) turn[j] = writer[j] == j ? count : -1;
    for (int now = 0; now < count; ++now)
      for (int i = 0; i < count; ++i) {
        if (turn[i] != count) continue;
        bool ready = true;
        for (int j = 0; j < count; ++j) ready = ready && !(reads[i][j] && writer[j] != i && turn[writer[j]] >= now);
        if (ready) turn[i] = now;
      }
  }

private:
  template <std::size_t J>
  using view = std::remove_cvref_t<decltype(std::declval<std::tuple_element_t<J, Outs> const&>())>;
  template <std::size_t J>
  using readable = std::remove_cvref_t<decltype(std::declval<std::tuple_element_t<J, Outs>>().readable())>;

  template <std::size_t J, std::size_t... I>
  constexpr void enter(std::index_sequence<I...>) {
    using Part = std::tuple_element_t<J, Trees>;
    writer[J] = static_cast<int>(J);
    auto const one = [&]<std::size_t K>(std::integral_constant<std::size_t, K>) {
      if constexpr (K != J) {
        using X = std::tuple_element_t<K, Trees>;
        if (writer[J] == static_cast<int>(J) && !std::is_same_v<X, recorded_tree<X, Part, view<J>>>) writer[J] = static_cast<int>(K);
        reads[K][J] = contains<X, Part, readable<J>>;
      }
    };
    (one(std::integral_constant<std::size_t, I>{}), ...);
  }
};

/// Tree number I as it is run: what its kernel writes for others noted, what others have computed read.
template <std::size_t I, std::size_t J, class Trees, class Outs, class X>
auto tree_to_run(X const& tree, Trees const& trees, Outs const& outs, bool& differs) {
  static constexpr order<Trees, Outs> plan; // static: nvcc takes an element read in a lambda for a use of the local
  if constexpr (J == std::tuple_size_v<Trees>) return tree;
  else {
    auto const one = [&] {
      auto const& part = std::get<J>(trees);
      if constexpr (I != J && plan.writer[J] == static_cast<int>(I))
        return recording<std::tuple_element_t<J, Trees>, std::tuple_element_t<J, Outs>>{part, std::get<J>(outs), differs}(tree);
      else if constexpr (I != J && plan.reads[I][J]) return replaced(tree, part, std::get<J>(outs).readable(), differs);
      else return tree;
    }();
    return tree_to_run<I, J + 1>(one, trees, outs, differs);
  }
}

} // namespace detail

/// Runs several canonical trees into their results; false, and nothing is written, where trees that share a type are of
/// different tensors.
template <machine M, class... X, class... V>
bool run_together(M const& on, std::tuple<X...> const& merged_trees, std::tuple<V...> const& merged_outs) {
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    auto const roots = std::make_tuple(detail::below_merges(std::get<I>(merged_trees), std::get<I>(merged_outs))...);
    auto const trees = std::make_tuple(std::get<I>(roots).tree...);
    auto const outs = std::make_tuple(std::get<I>(roots).out...);
    static constexpr detail::order<std::remove_cv_t<decltype(trees)>, std::remove_cv_t<decltype(outs)>> plan;
    bool differs = false;
    auto const shared = std::make_tuple(detail::tree_to_run<I, 0>(std::get<I>(trees), trees, outs, differs)...);
    if (differs) return false;
    auto const expected = [&]<std::size_t K>(std::integral_constant<std::size_t, K>) {
      if constexpr (plan.turn[K] >= 0) detail::expect(on, std::get<K>(shared), std::get<K>(outs));
    };
    (expected(std::integral_constant<std::size_t, I>{}), ...);
    auto const one = [&]<std::size_t K>(std::integral_constant<std::size_t, K>, int now) {
      if constexpr (plan.turn[K] >= 0)
        if (plan.turn[K] == now) detail::run<true>(on, std::get<K>(shared), std::get<K>(outs));
    };
    for (int now = 0; now < plan.count; ++now) (one(std::integral_constant<std::size_t, I>{}, now), ...);
    return true;
  }(std::index_sequence_for<X...>{});
}

} // namespace attend::codegen::inline ATTEND_DETAIL_ISA
