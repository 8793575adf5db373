// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention: softmax over t of any elementwise f around one product, times the values.
#pragma once
#include <attend/codegen/pattern.hpp>
#include <attend/codegen/patterns/reasons.hpp>
#include <attend/codegen/regions.hpp>

namespace attend::codegen {
namespace pattern {
namespace holes {
inline constexpr hole<struct query> q{};
inline constexpr hole<struct key> k{};
inline constexpr hole<struct value> v{};
inline constexpr around<struct scoring> f{};
inline constexpr dim_hole<struct head> d{};
inline constexpr dim_hole<struct column> t{};

inline constexpr auto attention = contract(softmax(f(contract(q, k(t), d)), t), v(t), t);
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
      return [&]<int... I>(std::integer_sequence<int, I...>) {
        return join<Op>(of(operand_of<I>(e))...);
      }(std::make_integer_sequence<int, sizeof...(X)>{});
  }

private:
  template <class Op, class... T>
  static auto join(hollowed<T> const&... h) { return hollowed<elementwise<Op, T...>>{{{}, {{h.tree}...}}, (h.scale * ...)}; }
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

/// What the pattern bound, sorted into a region; or the reason why no kernel takes it.
template <class Empty, class M>
auto attention_of(M const& m, bool guard, double output_scale) {
  using namespace pattern;
  auto const& query = get<hole<holes::query>>(m);
  auto const& key = get<hole<holes::key>>(m);
  auto const& value = get<hole<holes::value>>(m);
  auto const scores = hollow::of(get<around<holes::scoring>>(m));
  using Q = std::remove_cvref_t<decltype(query)>;
  using K = std::remove_cvref_t<decltype(key)>;
  using V = std::remove_cvref_t<decltype(value)>;
  using F = std::remove_cvref_t<decltype(get<around<holes::scoring>>(m))>;
  using D = bound_t<dim_hole<holes::head>, M>;
  using T = bound_t<dim_hole<holes::column>, M>;
  using dims = attention_dims<Q, K, V, F, D, T>;
  if constexpr (has<Q, T>) return not_fused<because::query_has_the_softmax_dim<softmax_over<T>>>{};
  else if constexpr (has<F, D>) return not_fused<because::scores_have_the_contracted_dim<dimension_named<D>>>{};
  else if constexpr (matrix_dims_t<typename dims::own>::size > 1) return not_fused<because::value_has_several_dims_of_its_own<apply_list_t<typename dims::own, dims_of_y>>>{};
  else if constexpr (std::is_same_v<typename F::value_type, double>) return not_fused<because::element_type_without_kernel<type_of_x<double>>>{};
  else if constexpr (!fused_type<typename V::value_type>) return not_fused<because::element_type_without_kernel<type_of_x<typename V::value_type>>>{};
  else if constexpr (!std::is_same_v<typename Q::value_type, typename K::value_type> || !std::is_same_v<typename Q::value_type, typename V::value_type>)
    return not_fused<because::element_types_differ<type_of_x<typename Q::value_type>, type_of_x<typename K::value_type>, type_of_y<typename V::value_type>>>{};
  else {
    using Score = decltype(scores.tree);
    return attention<Q, K, V, std::remove_cv_t<Score>, Empty, typename dims::batch, typename dims::row, T, D, typename dims::width>{
        query, key, value, scores.tree, {{}, scores.scale}, {{}, output_scale}, guard};
  }
}

/// Whether a canonical tree holds a softmax, and where.
template <class X>
inline constexpr bool has_softmax = false;
template <class X, class D, class P, class O>
inline constexpr bool has_softmax<softmax_node<X, D, P, O>> = true;
template <class Op, class... X>
inline constexpr bool has_softmax<elementwise<Op, X...>> = (has_softmax<X> || ...);

template <class X>
inline constexpr bool is_softmax = false;
template <class X, class D, class P, class O>
inline constexpr bool is_softmax<softmax_node<X, D, P, O>> = true;

/// Why the pattern did not match: one overload per way to miss it.
struct missing {
  template <class X>
  static auto of(X const&) { return not_fused<because::root_is_no_product_of_a_softmax<>>{}; }
  template <class X, class Y, class... D>
  static auto of(contraction<X, Y, types<D...>> const& e) {
    if constexpr (is_softmax<X>) return weights(e.x, types<D...>{});
    else if constexpr (is_softmax<Y>) return weights(e.y, types<D...>{});
    else if constexpr (has_softmax<X> || has_softmax<Y>) return not_fused<because::weights_change_after_the_softmax<>>{};
    else return not_fused<because::root_is_no_product_of_a_softmax<>>{};
  }

private:
  template <class F, class... T, class P, class O, class... D>
  static auto weights(softmax_node<F, types<T...>, P, O> const& e, types<D...>) {
    if constexpr (!std::is_same_v<types<T...>, types<D...>>) return not_fused<because::product_and_softmax_differ_in_dims<softmax_over<T>..., dimension_named<D>...>>{};
    else if constexpr (sizeof...(T) > 1) return not_fused<because::softmax_over_several_dims<softmax_over<T>...>>{};
    else if constexpr (products<F> == 0) return not_fused<because::scores_without_product<dims_shown_x<F>>>{};
    else if constexpr (products<F> > 1) return not_fused<because::scores_with_several_products<products_in_scores<products<F>>>>{};
    else return scores(e.x, types<T...>{});
  }
  template <class Op, class... X, class T>
  static auto scores(elementwise<Op, X...> const& e, T t) {
    constexpr int at = [] {
      int i = 0, found = 0;
      ((products<X> == 1 ? void(found = i) : void(), ++i), ...);
      return found;
    }();
    return scores(operand_of<at>(e), t);
  }
  template <class X, class Y, class... D, class T>
  static auto scores(contraction<X, Y, types<D...>> const&, types<T>) {
    if constexpr (sizeof...(D) > 1) return not_fused<because::product_over_several_dims<dimension_named<D>...>>{};
    else return not_fused<because::key_lacks_the_softmax_dim<softmax_over<T>>>{};
  }
};

/// The region of a canonical tree whose root is attention, else a not_fused.
struct attention_match {
  template <class X>
  static auto of(X const& x, double output_scale = 1) {
    auto const m = pattern::match(pattern::holes::attention, x);
    if constexpr (pattern::matched<decltype(m)>) return attention_from(m, x, output_scale);
    else return missing::of(x);
  }
  template <class X>
  static auto of(elementwise<op::mul, X, scalar<double>> const& e) {
    if constexpr (is_scaled<elementwise<op::mul, X, scalar<double>>>) return of(operand_of<0>(e), operand_of<1>(e).value);
    else return missing::of(e);
  }

private:
  template <class M, class F, class D, class P, class O, class V, class B>
  static auto attention_from(M const& m, contraction<softmax_node<F, D, P, O>, V, B> const& e, double a) { return attention_of<P>(m, e.x.guard, a); }
  template <class M, class F, class D, class P, class O, class V, class B>
  static auto attention_from(M const& m, contraction<V, softmax_node<F, D, P, O>, B> const& e, double a) { return attention_of<P>(m, e.y.guard, a); }
};

template <class X>
inline constexpr bool is_not_fused = false;
template <class R>
inline constexpr bool is_not_fused<not_fused<R>> = true;

} // namespace detail
} // namespace attend::codegen
