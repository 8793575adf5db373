// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention: softmax over t of any elementwise f around one product, or f itself, times the values. Between the softmax
// and the values may stand what is linear in the weights: dropout, a gate, a factor of the row.
#pragma once
#include <attend/codegen/pattern.hpp>
#include <attend/codegen/patterns/reasons.hpp>
#include <attend/codegen/regions.hpp>

namespace attend::codegen::inline ATTEND_DETAIL_ISA {
namespace pattern {
namespace holes {
inline constexpr hole<struct query> q{};
inline constexpr hole<struct key> k{};
inline constexpr hole<struct value> v{};
inline constexpr around<struct scoring> f{};
inline constexpr around<struct weighing> w{};
inline constexpr dim_hole<struct head> d{};
inline constexpr dim_hole<struct column> t{};

inline constexpr auto attention = contract(w(softmax(f(contract(q, k(t), d)), t)), v(t), t);
inline constexpr auto unnormalised = contract(f(contract(q, k(t), d)), v(t), t); // sigmoid attention, and linear one
} // namespace holes
} // namespace pattern

/// The answer of a pattern that does not fit, with the reason.
template <class Reason>
struct not_fused {
  using reason = Reason;
};

namespace detail {

template <class Tree>
struct hollowed {
  Tree tree;
  double scale;
};
/// f with its product replaced by placeholder<0>, and the number the product is scaled by.
struct hollow {
  template <class X>
  static auto of(X const& x) { return hollowed<X>{x, 1}; }
  template <class X, class Y, class D>
  static auto of(contraction<X, Y, D> const&) { return hollowed<placeholder<0, float>>{{}, 1}; }
  template <class X, class Y, class D>
  static auto of(elementwise<op::mul, contraction<X, Y, D>, scalar<double>> const& e) { return hollowed<placeholder<0, float>>{{}, operand_of<1>(e).value}; }
  template <class Op, class... X>
  static auto of(elementwise<Op, X...> const& e) {
    if constexpr ((products<X> + ...) == 0) return hollowed<elementwise<Op, X...>>{e, 1};
    else
      return with_values(e.x, [](auto const&... x) { return joined<Op>(of(x)...); });
  }

private:
  template <class Op, class... T>
  static auto joined(hollowed<T> const&... h) { return hollowed<elementwise<Op, T...>>{elementwise_of<Op>(h.tree...), (h.scale * ...)}; }
};

template <class T>
inline constexpr bool fused_type = std::is_same_v<T, float> || half_precision<T>;

/// The dims of an attention sorted by what they do.
template <class Q, class K, class V, class Scores, class D, class T>
struct attention_dims {
  using score_dims = typename Scores::shape::dims;
  using own = minus_t<typename V::shape::dims, score_dims>; // dims only the values have
  using width = last_matrix_dim<own>;
  using row = last_matrix_dim<minus_t<minus_t<minus_t<typename Q::shape::dims, typename K::shape::dims>, typename V::shape::dims>, types<D>>>;
  using batch = minus_t<minus_t<unite_t<score_dims, own>, list_of<row>>, concat_t<types<T>, list_of<width>>>;
};

/// A tree of weights taken apart: what is done to each weight, and to all weights of a row.
template <class Weighing, class Gain>
struct weighed {
  Weighing weighing; // around placeholder<0>, the softmax
  Gain gain;         // placeholder<0> is the row's log-sum-exp
};
struct not_linear {};

/// The log-sum-exp of the scores F over T, wherever it stands in a tree, as placeholder<0>.
template <class F, class T>
struct summing_up {
  template <class X>
  static auto of(X const& x) { return x; }
  static auto of(reduction<op::logsumexp, F, types<T>> const&) { return placeholder<0, float>{}; }
  template <class Op, class... X>
  static auto of(elementwise<Op, X...> const& e) {
    return with_values(e.x, [](auto const&... x) { return elementwise_of<Op>(of(x)...); });
  }
};

/// One overload per operation that is linear in a weight. F: the scores; T: the softmax dim.
template <class F, class T>
struct taking_apart {
  template <class X>
  static auto of(X const&) { return not_linear{}; }
  template <class P, class O>
  static auto of(softmax_node<F, types<T>, P, O> const&) { return weighed<placeholder<0, float>, nothing>{}; }
  template <class X, class C>
  static auto of(elementwise<op::kept, X, C> const& e) { return each<op::kept>(of(operand_of<0>(e)), operand_of<1>(e)); }
  template <class X, class Y>
  static auto of(elementwise<op::mul, X, Y> const& e) {
    if constexpr (softmaxes<X> == 1) return times<op::mul>(of(operand_of<0>(e)), operand_of<1>(e));
    else return times<op::mul>(of(operand_of<1>(e)), operand_of<0>(e));
  }
  template <class X, class Y>
  static auto of(elementwise<op::div, X, Y> const& e) {
    if constexpr (softmaxes<X> == 1) return times<op::div>(of(operand_of<0>(e)), operand_of<1>(e));
    else return not_linear{};
  }

private:
  template <class Op, class M>
  static auto times(not_linear n, M const&) { return n; }
  template <class Op, class W, class G, class M>
  static auto times(weighed<W, G> const& w, M const& m) {
    if constexpr (has<M, T>) return each<Op>(w, m);
    else {
      auto const row = summing_up<F, T>::of(m);
      using Row = std::remove_cv_t<decltype(row)>;
      if constexpr (!std::is_same_v<G, nothing>) return weighed<W, elementwise<Op, G, Row>>{w.weighing, {{}, {{w.gain}, {row}}}};
      else if constexpr (std::is_same_v<Op, op::mul>) return weighed<W, Row>{w.weighing, row};
      else return weighed<W, elementwise<Op, scalar<double>, Row>>{w.weighing, {{}, {{{{}, 1}}, {row}}}};
    }
  }
  template <class Op, class C>
  static auto each(not_linear n, C const&) { return n; }
  template <class Op, class W, class G, class C>
  static auto each(weighed<W, G> const& w, C const& c) { return weighed<elementwise<Op, W, C>, G>{{{}, {{w.weighing}, {c}}}, w.gain}; }
};

/// What a pattern bound, sorted into a region; or the reason why no kernel takes it. W is the tree of the weights.
template <class Empty, class M, class W, class Parts>
auto attention_of(M const& m, W const&, Parts const& parts, bool guard, double output_scale) {
  using namespace pattern;
  auto const& query = get<hole<holes::query>>(m);
  auto const& key = get<hole<holes::key>>(m);
  auto const& value = get<hole<holes::value>>(m);
  auto const scores = hollow::of(get<around<holes::scoring>>(m));
  using Q = std::remove_cvref_t<decltype(query)>;
  using K = std::remove_cvref_t<decltype(key)>;
  using V = std::remove_cvref_t<decltype(value)>;
  using D = bound_t<dim_hole<holes::head>, M>;
  using T = bound_t<dim_hole<holes::column>, M>;
  using dims = attention_dims<Q, K, V, W, D, T>;
  if constexpr (has<Q, T>) return not_fused<because::query_has_the_softmax_dim<softmax_over<T>>>{};
  else if constexpr (has<W, D>) return not_fused<because::scores_have_the_contracted_dim<dimension_named<D>>>{};
  else if constexpr (matrix_dims_t<typename dims::own>::size > 1) return not_fused<because::value_has_several_dims_of_its_own<apply_list_t<typename dims::own, dims_of_y>>>{};
  else if constexpr (std::is_void_v<Empty> && std::is_same_v<typename V::space, struct cuda>) return not_fused<because::no_softmax_on_cuda<>>{};
  else if constexpr (std::is_same_v<typename W::value_type, double>) return not_fused<because::element_type_without_kernel<type_of_x<double>>>{};
  else if constexpr (!fused_type<typename V::value_type>) return not_fused<because::element_type_without_kernel<type_of_x<typename V::value_type>>>{};
  else if constexpr (!std::is_same_v<typename Q::value_type, typename K::value_type> || !std::is_same_v<typename Q::value_type, typename V::value_type>)
    return not_fused<because::element_types_differ<type_of_x<typename Q::value_type>, type_of_x<typename K::value_type>, type_of_y<typename V::value_type>>>{};
  else {
    using Roles = attention_roles<typename dims::batch, typename dims::row, T, D, typename dims::width>;
    return attention<Q, K, V, std::remove_cv_t<decltype(scores.tree)>, std::remove_cv_t<decltype(parts.weighing)>, std::remove_cv_t<decltype(parts.gain)>, Empty, Roles>{
        query, key, value, scores.tree, parts.weighing, parts.gain, {{}, scores.scale}, {{}, output_scale}, guard, {}};
  }
}

/// The one softmax that a tree of weights is around.
struct finding_softmax {
  template <class X, class D, class P, class O>
  static auto const& of(softmax_node<X, D, P, O> const& e) { return e; }
  template <class Op, class... X>
  static auto const& of(elementwise<Op, X...> const& e) {
    return of(operand_of<place_of_one<softmaxes<X>...>>(e));
  }
};

template <class X>
inline constexpr bool is_contraction = false;
template <class X, class Y, class D, class O>
inline constexpr bool is_contraction<contraction<X, Y, D, O>> = true;

/// Why the pattern did not match: one overload per way to miss it.
struct missing {
  template <class X>
  static auto of(X const&) { return not_fused<because::root_is_no_product_of_a_softmax<>>{}; }
  template <class X, class Y, class... D>
  static auto of(contraction<X, Y, types<D...>> const& e) {
    if constexpr (softmaxes<X> == 1 && softmaxes<Y> == 0) return weights(finding_softmax::of(e.x), e.x, types<D...>{});
    else if constexpr (softmaxes<Y> == 1 && softmaxes<X> == 0) return weights(finding_softmax::of(e.y), e.y, types<D...>{});
    else if constexpr (softmaxes<X> + softmaxes<Y> > 0) return not_fused<because::weights_change_after_the_softmax<>>{};
    else return not_fused<because::root_is_no_product_of_a_softmax<>>{};
  }

private:
  template <class F, class... T, class P, class O, class W, class... D>
  static auto weights(softmax_node<F, types<T...>, P, O> const& e, W const& w, types<D...>) {
    if constexpr (!std::is_same_v<types<T...>, types<D...>>) return not_fused<because::product_and_softmax_differ_in_dims<softmax_over<T>..., dimension_named<D>...>>{};
    else if constexpr (sizeof...(T) > 1) return not_fused<because::softmax_over_several_dims<softmax_over<T>...>>{};
    else if constexpr (std::is_same_v<decltype(taking_apart<F, T...>::of(w)), not_linear>) return not_fused<because::weights_change_after_the_softmax<>>{};
    else if constexpr (products<F> == 0) return not_fused<because::scores_without_product<dims_shown_x<F>>>{};
    else if constexpr (products<F> > 1) return not_fused<because::scores_with_several_products<products_in_scores<products<F>>>>{};
    else return scores(e.x, types<T...>{});
  }
  template <class Op, class... X, class T>
  static auto scores(elementwise<Op, X...> const& e, T t) {
    return scores(operand_of<place_of_one<products<X>...>>(e), t);
  }
  template <class X, class Y, class... D, class T>
  static auto scores(contraction<X, Y, types<D...>> const&, types<T>) {
    if constexpr (sizeof...(D) > 1) return not_fused<because::product_over_several_dims<dimension_named<D>...>>{};
    else return not_fused<because::key_lacks_the_softmax_dim<softmax_over<T>>>{};
  }
};

/// Whether a tree depends on a position along T.
template <class X, class T>
inline constexpr bool has_position = false;
template <class T>
inline constexpr bool has_position<index_node<T>, T> = true;
template <class Op, class... X, class T>
inline constexpr bool has_position<elementwise<Op, X...>, T> = (has_position<X, T> || ...);

/// The batch dims of a list.
template <class List>
struct batch_dims;
template <class... D>
struct batch_dims<types<D...>> : concat<std::conditional_t<D::kind == role::batch, types<D>, types<>>...> {};

/// An attention that writes more than its output.
template <class W, class L, class Reason>
auto writing(not_fused<Reason> const& r, recorded_views<W, L> const&) { return r; }
template <class Q, class K, class V, class F, class Weigh, class G, class Empty, class Roles, class W, class L>
auto writing(attention<Q, K, V, F, Weigh, G, Empty, Roles> const& a, recorded_views<W, L> const& to) {
  return attention<Q, K, V, F, Weigh, G, Empty, Roles, W, L>{a.query, a.key, a.value, a.score, a.weighing, a.gain, a.scale, a.output_scale, a.guard, to};
}

/// The region of a canonical tree whose root is attention, else a not_fused.
struct attention_match {
  template <class X, class W, class L, class V, class D>
  static auto of(contraction<recorded<X, W, L>, V, D> const& e, double output_scale = 1) {
    return writing(of(contraction<X, V, D>{{}, e.x.x, e.y}, output_scale), e.x.to);
  }
  template <class X, class W, class L, class V, class D>
  static auto of(contraction<V, recorded<X, W, L>, D> const& e, double output_scale = 1) {
    return writing(of(contraction<V, X, D>{{}, e.x, e.y.x}, output_scale), e.y.to);
  }
  template <class X>
  static auto of(X const& x, double output_scale = 1) {
    auto const m = pattern::match(pattern::holes::attention, x);
    if constexpr (pattern::matched<decltype(m)>) return normalised(m, x, output_scale);
    else return unnormalised(x, output_scale);
  }
  template <class X>
  static auto of(elementwise<op::mul, X, scalar<double>> const& e) {
    if constexpr (is_scaled<elementwise<op::mul, X, scalar<double>>>) return of(operand_of<0>(e), operand_of<1>(e).value);
    else return missing::of(e);
  }

private:
  template <class M, class X>
  static auto normalised(M const& m, X const& x, double output_scale) {
    using F = std::remove_cvref_t<decltype(pattern::get<pattern::around<pattern::holes::scoring>>(m))>;
    auto const& weights = pattern::get<pattern::around<pattern::holes::weighing>>(m);
    auto const parts = taking_apart<F, pattern::bound_t<pattern::dim_hole<pattern::holes::column>, M>>::of(weights);
    if constexpr (std::is_same_v<std::remove_cv_t<decltype(parts)>, not_linear>) return missing::of(x);
    else return from_softmax(m, finding_softmax::of(weights), weights, parts, output_scale);
  }
  template <class M, class F, class D, class P, class O, class W, class Parts>
  static auto from_softmax(M const& m, softmax_node<F, D, P, O> const& e, W const& w, Parts const& parts, double output_scale) {
    return attention_of<P>(m, w, parts, e.guard, output_scale);
  }
  // Scores that meet the values as they are. f(x w) u without positions, and without a batch in w and u, is a
  // perceptron, and a bare product of products a chain: both are for matrix units.
  template <class X>
  static auto unnormalised(X const& x, double output_scale) {
    auto const m = pattern::match(pattern::holes::unnormalised, x);
    if constexpr (!pattern::matched<decltype(m)>) return missing::of(x);
    else {
      auto const& f = pattern::get<pattern::around<pattern::holes::scoring>>(m);
      using T = pattern::bound_t<pattern::dim_hole<pattern::holes::column>, std::remove_cv_t<decltype(m)>>;
      using K = std::remove_cvref_t<decltype(pattern::get<pattern::hole<pattern::holes::key>>(m))>;
      using V = std::remove_cvref_t<decltype(pattern::get<pattern::hole<pattern::holes::value>>(m))>;
      using Shared = typename batch_dims<common_t<typename K::shape::dims, typename V::shape::dims>>::type;
      using F = std::remove_cvref_t<decltype(f)>;
      if constexpr (is_contraction<F> || (Shared::size == 0 && !has_position<F, T>)) return missing::of(x);
      else return attention_of<void>(m, f, weighed<placeholder<0, float>, nothing>{}, true, output_scale);
    }
  }
};

template <class X>
inline constexpr bool is_not_fused = false;
template <class R>
inline constexpr bool is_not_fused<not_fused<R>> = true;

} // namespace detail
} // namespace attend::codegen::inline ATTEND_DETAIL_ISA
