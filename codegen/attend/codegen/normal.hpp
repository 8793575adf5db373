// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Normal form: the written tree, bottom up, becomes the canonical one. Views go to the leaves, conveniences (mean,
// dropout, length) become what they mean, everything else is rebuilt by the laws of algebra.hpp.
#pragma once
#include <attend/codegen/associate.hpp>
#include <attend/codegen/merge.hpp>
#include <cmath>

namespace attend::codegen::inline ATTEND_DETAIL_ISA {
namespace detail {

/// length(dim) as a number, wherever it stands in x.
template <class Sizes>
struct binding {
  Sizes const& sizes;

  template <class X>
  auto of(X const& x) const { return x; }
  template <class D>
  auto of(length_node<D> const& x) const {
    if constexpr (Sizes::template known<D>) return scalar<std::int64_t>{{}, sizes.template of<D>()};
    else return x; // positions alone do not say: what they meet further up does
  }
  template <class Op, class... X>
  auto of(elementwise<Op, X...> const& e) const {
    return with_values(e.x, [&](auto const&... x) { return algebra<false>::apply(Op{}, of(x)...); });
  }
  template <class T, class I, class D>
  auto of(gather_node<T, I, D> const& e) const {
    auto const ids = of(e.ids);
    return gather_node<T, std::remove_cv_t<decltype(ids)>, D>{{}, e.table, ids};
  }
  template <class X, class P, class C>
  auto of(merged<X, P, C> const& e) const {
    auto const x = of(e.x);
    return merged<std::remove_cv_t<decltype(x)>, P, C>{{}, x};
  }
};

template <class X>
inline constexpr bool has_length = false;
template <class D>
inline constexpr bool has_length<length_node<D>> = true;
template <class Op, class... X>
inline constexpr bool has_length<elementwise<Op, X...>> = (has_length<X> || ...);
template <class T, class I, class D>
inline constexpr bool has_length<gather_node<T, I, D>> = has_length<I>;
template <class X, class P, class C>
inline constexpr bool has_length<merged<X, P, C>> = has_length<X>;

// Where positions are cut or summed away, length() must already be the number it was there.
template <class X, class E>
auto with_lengths(X const& x, E const& written) {
  if constexpr (has_length<X>) {
    auto const sizes = sizes_of(written);
    return binding<std::remove_cv_t<decltype(sizes)>>{sizes}.of(x);
  } else return x;
}

/// One overload per kind of written node. Regroup: whether a split by the names of what was merged is taken to undo that.
template <bool Recognise, bool Regroup>
struct normalising {
  using law = algebra<Recognise>;

  static auto of(ill_formed x) { return x; }
  template <class T, class S, class... A>
  static auto of(tensor_view<T, S, A...> const& v) { return v; }
  template <class T, class S, class... A>
  static auto of(owned<T, S, A...> const& v) { return v.whole; }
  template <class T>
  static auto of(scalar<T> const& x) { return x; }
  template <class D>
  static auto of(index_node<D> const& x) { return x; }
  template <class D>
  static auto of(length_node<D> const& x) { return x; }

  template <class Op, class... X>
  static auto of(elementwise<Op, X...> const& e) {
    return with_values(e.x, [&](auto const&... x) { return through_merges(types<>{}, applied<Op>{}, bound(x, e)...); });
  }
  template <class X, class Y, class D, class O>
  static auto of(contraction<X, Y, D, O> const& e) {
    return through_merges<false>(D{}, multiplied<D>{}, bound(e.x, e), bound(e.y, e));
  }
  template <class Op, class X, class D>
  static auto of(reduction<Op, X, D> const& e) { return through_merges(D{}, reduced<Op, D>{}, bound(e.x, e.x)); }
  template <class X, class... D>
  static auto of(reduction<op::mean, X, types<D...>> const& e) {
    double const n = static_cast<double>((sizes_of(e.x).template of<D>() * ... * 1));
    return through_merges(types<D...>{}, [n](auto const& x) { return law::mul(reduced<op::sum, types<D...>>{}(x), scalar<double>{{}, 1 / n}); }, bound(e.x, e.x));
  }
  template <class X, class D, class P, class O>
  static auto of(softmax_node<X, D, P, O> const& e) {
    return through_merges(D{}, normalised<P, D>{}, bound(e.x, e.x));
  }
  template <class T, class I, class D>
  static auto of(gather_node<T, I, D> const& e) {
    auto const table = with_lengths(stored_if_merged(of(e.table)), e.table);
    using Table = std::remove_cv_t<decltype(table)>;
    return through_merges(concat_t<types<D>, typename Table::shape::dims>{}, [&](auto const& ids) { return gather_node<Table, std::remove_cvref_t<decltype(ids)>, D>{{}, table, ids}; }, of(e.ids));
  }
  template <class X>
  static auto of(dropout_node<X> const& e) {
    auto const sizes = sizes_of(e.x);
    auto const position = linear(sizes, typename X::shape::dims{});
    auto const threshold = static_cast<std::int64_t>(std::ceil(e.p * 0x1p24));
    auto const random = map<op::random>(position, scalar<std::int64_t>{{}, e.seed});
    auto const stays = map<op::less_equal>(scalar<std::int64_t>{{}, threshold}, random);
    double const scale = 1 / (1 - e.p);
    return through_merges(types<>{}, [scale](auto const& x, auto const& y) { return law::scale_by(law::apply(op::kept{}, x, y), scale); }, bound(e.x, e.x), stays);
  }

  template <class X>
  static auto of(transposed<X> const& e) { return of(e.x); }
  template <class X, class R, class C>
  static auto of(oriented_node<X, R, C> const& e) { return of(e.x); }
  template <class X>
  static auto of(as_written_node<X> const& e) { return of(e.x); }
  template <class X, class F, class T>
  static auto of(renamed<X, F, T> const& e) { return push(rename_view<F, T>{}, with_lengths(of(e.x), e.x)); }
  template <class X, class C, class... P>
  static auto of(split_node<X, C, P...> const& e) {
    std::conditional_t<Regroup, regrouping_view<C, P...>, split_view<C, P...>> view{};
    auto const parts = sizing::parts_of(e, sizes_of(e.x).template of<C>());
    for (int i = 0; i < static_cast<int>(sizeof...(P)); ++i) view.sizes[i] = parts.n[i];
    return push(view, with_lengths(of(e.x), e.x));
  }
  template <class X, class D, class C>
  static auto of(merged<X, D, C> const& e) {
    auto const x = with_lengths(of(e.x), e.x);
    return merged<std::remove_cv_t<decltype(x)>, D, C>{{}, x};
  }
  template <class X, class D, long N>
  static auto of(sliced<X, D, N> const& e) { return push(slice_view<D, N>{e.begin, e.end - e.begin}, with_lengths(of(e.x), e.x)); }
  template <class X, class D>
  static auto of(at_node<X, D> const& e) { return push(at_view<D>{e.i}, with_lengths(of(e.x), e.x)); }

private:
  // An operand, what stands for lengths in it being numbers where the node that reads it knows them.
  template <class X, class E>
  static auto bound(X const& x, E const& whole) {
    auto const y = of(x);
    if constexpr (has_length<std::remove_cv_t<decltype(y)>>) return with_lengths(y, whole);
    else return y;
  }

  // Operations as functions of their operands; no lambdas, each of which would be a type of its own in every node.
  template <class Op>
  struct applied {
    template <class... X>
    auto operator()(X const&... x) const { return law::apply(Op{}, x...); }
  };
  template <class D>
  struct multiplied {
    template <class X, class Y>
    auto operator()(X const& x, Y const& y) const {
      if constexpr (is_merged_tree<X> || is_merged_tree<Y>) return multiplying<law>::of(x, y, D{});
      else return law::product(x, y, D{});
    }
  };
  template <class Op, class D>
  struct reduced {
    template <class X>
    auto operator()(X const& x) const { return reduction<Op, X, D>{{}, x}; }
  };
  template <class P, class D>
  struct normalised {
    template <class X>
    auto operator()(X const& x) const { return law::template softmax<P>(x, D{}, true); }
  };

  // The position of an element counted along dims in order.
  template <class Sizes, class First, class... D>
  static auto linear(Sizes const& sizes, types<First, D...>) { return horner(sizes, index_node<First>{}, types<D...>{}); }
  template <class Sizes>
  static auto linear(Sizes const&, types<>) { return scalar<std::int64_t>{{}, 0}; }
  template <class Sizes, class X>
  static auto horner(Sizes const&, X const& x, types<>) { return x; }
  template <class Sizes, class X, class D, class... Rest>
  static auto horner(Sizes const& sizes, X const& x, types<D, Rest...>) {
    return horner(sizes, map<op::add>(map<op::mul>(x, scalar<std::int64_t>{{}, sizes.template of<D>()}), index_node<D>{}), types<Rest...>{});
  }
};

/// Whether a part of an expression is to be evaluated as it is written; then all of it is.
template <class X>
struct is_as_written : std::false_type {};
template <class X>
struct is_as_written<as_written_node<X>> : std::true_type {};
template <class X>
inline constexpr bool has_as_written = stands_in<is_as_written, X>;

} // namespace detail

/// The canonical tree of an expression; Recognise says whether a softmax written by hand becomes one, Regroup whether a
/// split by the names of what was merged is taken to undo that.
template <bool Recognise = true, bool Regroup = true, class E>
auto normal_form(E const& e) {
  return detail::with_lengths(detail::normalising<Recognise, Regroup>::of(e), e);
}

/// The plans among which the extents decide: chains of products in the order that is likely to be the cheapest, or as
/// they are written where that depends on extents which the compiler does not know; and one for splits that only look
/// as if they undid a merge.
enum class variant { likely, other, split_otherwise };

/// The canonical tree that is evaluated: chains of products in their cheapest order, unless the expression says otherwise.
template <bool Recognise = true, variant V = variant::likely, class E>
auto planned_form(E const& e) {
  auto const tree = normal_form<Recognise, V != variant::split_otherwise>(e);
  if constexpr (!detail::stands_in<detail::has_chain, std::remove_cv_t<decltype(tree)>>) return tree;
  else if constexpr (detail::has_as_written<E>) return tree;
  else return associate<V == variant::likely>(tree);
}
namespace detail {
template <class E, bool Recognise = true, bool Regroup = true>
using normal_t = std::remove_cv_t<decltype(normal_form<Recognise, Regroup>(std::declval<E const&>()))>;
template <class E, variant V>
using planned_t = std::remove_cv_t<decltype(planned_form<true, V>(std::declval<E const&>()))>;

/// Whether dims are merged somewhere in an expression.
template <class X>
inline constexpr bool merges = stands_in<is_merge, X>;
} // namespace detail

/// Whether an expression has a plan of its own for a variant.
template <class E, variant V>
inline constexpr bool has_variant = false;
template <class E>
  requires(!std::is_same_v<detail::planned_t<E, variant::likely>, detail::normal_t<E>>)
inline constexpr bool has_variant<E, variant::other> = !std::is_same_v<detail::planned_t<E, variant::likely>, detail::planned_t<E, variant::other>>;
template <class E>
  requires detail::merges<E>
inline constexpr bool has_variant<E, variant::split_otherwise> = !std::is_same_v<detail::normal_t<E>, detail::normal_t<E, true, false>>;

/// Whether every split by the names of what was merged undoes it.
template <class E>
bool splits_undo_merges(E const& e) {
  detail::split_otherwise = false;
  static_cast<void>(normal_form(e));
  return !detail::split_otherwise;
}

} // namespace attend::codegen::inline ATTEND_DETAIL_ISA
