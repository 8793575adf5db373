// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Normal form: the written tree, bottom up, becomes the canonical one. Views go to the leaves, conveniences (mean,
// dropout, length) become what they mean, everything else is rebuilt by the laws of algebra.hpp.
#pragma once
#include <attend/codegen/algebra.hpp>
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
    return [&]<int... I>(std::integer_sequence<int, I...>) { return algebra<false>::apply(Op{}, of(operand_of<I>(e))...); }(std::make_integer_sequence<int, sizeof...(X)>{});
  }
  template <class T, class I, class D>
  auto of(gather_node<T, I, D> const& e) const {
    auto const ids = of(e.ids);
    return gather_node<T, std::remove_cv_t<decltype(ids)>, D>{{}, e.table, ids};
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

// Where positions are cut or summed away, length() must already be the number it was there.
template <class X, class E>
auto with_lengths(X const& x, E const& written) {
  if constexpr (has_length<X>) {
    auto const sizes = sizes_of(written);
    return binding<std::remove_cv_t<decltype(sizes)>>{sizes}.of(x);
  } else return x;
}

/// One overload per kind of written node.
template <bool Recognise>
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

  template <class Op, class X>
  static auto of(elementwise<Op, X> const& e) { return law::apply(Op{}, stored_if_merged(of(operand_of<0>(e)))); }
  template <class Op, class X, class Y>
  static auto of(elementwise<Op, X, Y> const& e) { return law::apply(Op{}, bound(operand_of<0>(e), e), bound(operand_of<1>(e), e)); }
  template <class Op, class X, class Y, class Z>
  static auto of(elementwise<Op, X, Y, Z> const& e) { return law::apply(Op{}, bound(operand_of<0>(e), e), bound(operand_of<1>(e), e), bound(operand_of<2>(e), e)); }

  template <class X, class Y, class D, class O>
  static auto of(contraction<X, Y, D, O> const& e) { return law::product(bound(e.x, e), bound(e.y, e), D{}); }
  template <class Op, class X, class D>
  static auto of(reduction<Op, X, D> const& e) {
    auto const x = bound(e.x, e.x);
    return reduction<Op, std::remove_cv_t<decltype(x)>, D>{{}, x};
  }
  template <class X, class... D>
  static auto of(reduction<op::mean, X, types<D...>> const& e) {
    auto const x = bound(e.x, e.x);
    double const n = static_cast<double>((sizes_of(e.x).template of<D>() * ... * 1));
    return law::mul(reduction<op::sum, std::remove_cv_t<decltype(x)>, types<D...>>{{}, x}, scalar<double>{{}, 1 / n});
  }
  template <class X, class D, class P, class O>
  static auto of(softmax_node<X, D, P, O> const& e) { return law::template softmax<P>(bound(e.x, e.x), D{}, true); }
  template <class T, class I, class D>
  static auto of(gather_node<T, I, D> const& e) {
    auto const table = bound(e.table, e.table);
    auto const ids = stored_if_merged(of(e.ids));
    return gather_node<std::remove_cv_t<decltype(table)>, std::remove_cv_t<decltype(ids)>, D>{{}, table, ids};
  }
  template <class X>
  static auto of(dropout_node<X> const& e) {
    auto const sizes = sizes_of(e.x);
    auto const position = linear(sizes, typename X::shape::dims{});
    auto const threshold = static_cast<std::int64_t>(std::ceil(e.p * 0x1p24));
    auto const random = map<op::random>(position, scalar<std::int64_t>{{}, e.seed});
    auto const stays = map<op::less_equal>(scalar<std::int64_t>{{}, threshold}, random);
    return law::scale_by(law::apply(op::kept{}, bound(e.x, e.x), stays), 1 / (1 - e.p));
  }

  template <class X>
  static auto of(transposed<X> const& e) { return of(e.x); }
  template <class X, class R, class C>
  static auto of(oriented_node<X, R, C> const& e) { return of(e.x); }
  template <class X, class F, class T>
  static auto of(renamed<X, F, T> const& e) { return push(rename_view<F, T>{}, with_lengths(of(e.x), e.x)); }
  template <class X, class C, class... P>
  static auto of(split_node<X, C, P...> const& e) {
    split_view<C, P...> view{};
    auto const parts = sizing::parts_of(e, sizes_of(e.x).template of<C>());
    for (int i = 0; i < static_cast<int>(sizeof...(P)); ++i) view.sizes[i] = parts.n[i];
    return push(view, with_lengths(of(e.x), e.x));
  }
  template <class X, class D, class C>
  static auto of(merged<X, D, C> const& e) {
    auto const x = stored_if_merged(with_lengths(of(e.x), e.x));
    return merged<std::remove_cv_t<decltype(x)>, D, C>{{}, x};
  }
  template <class X, class D, long N>
  static auto of(sliced<X, D, N> const& e) { return push(slice_view<D, N>{e.begin, e.end - e.begin}, with_lengths(of(e.x), e.x)); }
  template <class X, class D>
  static auto of(at_node<X, D> const& e) { return push(at_view<D>{e.i}, with_lengths(of(e.x), e.x)); }

private:
  // An operand of a node that is not the root: a merged one is stored, so that every axis is one of memory.
  template <class X, class E>
  static auto bound(X const& x, E const& whole) { return with_lengths(stored_if_merged(of(x)), whole); }
  template <class X>
  static auto stored_if_merged(X const& x) { return x; }
  template <class X, class D, class C>
  static auto stored_if_merged(merged<X, D, C> const& x) { return pushing::unmerged(x); }

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

} // namespace detail

/// The canonical tree of an expression; Recognise says whether a softmax written by hand becomes one.
template <bool Recognise = true, class E>
auto normal_form(E const& e) {
  return detail::with_lengths(detail::normalising<Recognise>::of(e), e);
}

} // namespace attend::codegen::inline ATTEND_DETAIL_ISA
