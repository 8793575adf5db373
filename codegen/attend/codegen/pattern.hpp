// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Patterns: expressions of the language with holes. match(pattern, canonical tree) answers what each hole bound.
//
//   hole            any expression; the same hole twice means the same type
//   hole(dim)       an expression that has the dim
//   dim_hole        any dimension
//   around(x)       an elementwise tree around exactly one x, which is a product or a softmax
#pragma once
#include <attend/codegen/algebra.hpp>

namespace attend::codegen::inline ATTEND_DETAIL_ISA::pattern {

template <class Hole, class D>
struct with_dim {};
template <class Name>
struct hole {
  template <class D>
  consteval with_dim<hole, D> operator()(D) const { return {}; }
};
template <class Name>
struct dim_hole {};
template <class Around, class X>
struct context {};
template <class Name>
struct around {
  template <class X>
  consteval context<around, X> operator()(X) const { return {}; }
};
template <class X, class Y, class D>
struct contract_pattern {};
template <class X, class D>
struct softmax_pattern {};

template <class X, class Y, class D>
consteval contract_pattern<X, Y, D> contract(X, Y, D) { return {}; }
template <class X, class D>
consteval softmax_pattern<X, D> softmax(X, D) { return {}; }

/// What holes are bound to: an overload set keyed by the hole.
template <class Hole, class T>
struct bound {
  T value;
};
template <class... B>
struct bindings : B... {};
/// The answer where nothing matches.
struct no_match {};

template <class Hole, class T>
T const& get(bound<Hole, T> const& b) { return b.value; }
template <class Hole, class T>
std::type_identity<T> type_bound(bound<Hole, T> const*);
template <class Hole>
std::type_identity<void> type_bound(void const*);
template <class Hole, class B>
using bound_t = typename decltype(type_bound<Hole>(static_cast<B*>(nullptr)))::type;
template <class M>
inline constexpr bool matched = !std::is_same_v<std::remove_cvref_t<M>, no_match>;

namespace detail {
using namespace attend::detail;
using codegen::detail::has;
using codegen::detail::place_of_one;
using codegen::detail::products;
using codegen::detail::softmaxes;

/// How many trees of the kind of pattern X an elementwise tree E is around.
template <class X, class E>
inline constexpr int cores = products<E>;
template <class X, class D, class E>
inline constexpr int cores<softmax_pattern<X, D>, E> = softmaxes<E>;

/// One overload per kind of pattern; the catch-all answers no_match.
struct matching {
  template <class Hole, class T, class... B>
  static auto bind(bindings<B...> const& b, T const& x) {
    using Old = bound_t<Hole, bindings<B...>>;
    if constexpr (std::is_void_v<Old>) return bindings<B..., bound<Hole, T>>{static_cast<B const&>(b)..., {x}};
    else if constexpr (std::is_same_v<Old, T>) return b;
    else return no_match{};
  }

  template <class P, class E, class B>
  static auto of(P, E const&, B const&) { return no_match{}; }
  template <class N, class E, class... B>
  static auto of(hole<N>, E const& e, bindings<B...> const& b) { return bind<hole<N>>(b, e); }
  template <class H, class D, class E, class... B>
  static auto of(with_dim<H, D>, E const& e, bindings<B...> const& b) {
    using Dim = bound_t<D, bindings<B...>>;
    if constexpr (std::is_void_v<Dim>) return no_match{};
    else if constexpr (has<E, Dim>) return of(H{}, e, b);
    else return no_match{};
  }
  template <class X, class Y, class D, class EX, class EY, class ED, class... B>
  static auto of(contract_pattern<X, Y, dim_hole<D>>, contraction<EX, EY, types<ED>> const& e, bindings<B...> const& b) {
    auto const with = bind<dim_hole<D>>(b, ED{});
    auto const straight = both<X, Y>(e.x, e.y, with);
    if constexpr (matched<decltype(straight)>) return straight;
    else return both<X, Y>(e.y, e.x, with); // products commute
  }
  template <class X, class D, class EX, class ED, class P, class O, class... B>
  static auto of(softmax_pattern<X, dim_hole<D>>, softmax_node<EX, types<ED>, P, O> const& e, bindings<B...> const& b) {
    return of(X{}, e.x, bind<dim_hole<D>>(b, ED{}));
  }
  template <class A, class X, class E, class... B>
  static auto of(context<A, X>, E const& e, bindings<B...> const& b) {
    auto const inner = descend<X>(e, b);
    if constexpr (matched<decltype(inner)>) return bind<A>(inner, e);
    else return inner;
  }

private:
  template <class X, class Y, class EX, class EY, class B>
  static auto both(EX const& x, EY const& y, B const& b) {
    auto const first = of(X{}, x, b);
    if constexpr (matched<decltype(first)>) return of(Y{}, y, first);
    else return first;
  }
  // down an elementwise tree to its only product
  template <class X, class E, class B>
  static auto descend(E const& e, B const& b) { return of(X{}, e, b); }
  template <class X, class Op, class... E, class B>
  static auto descend(elementwise<Op, E...> const& e, B const& b) {
    if constexpr ((cores<X, E> + ... + 0) != 1) return no_match{};
    else return descend<X>(operand_of<place_of_one<cores<X, E>...>>(e), b);
  }
};
} // namespace detail

/// The bindings of a pattern's holes, or no_match.
template <class P, class E>
auto match(P p, E const& e) {
  return detail::matching::of(p, e, bindings<>{});
}

} // namespace attend::codegen::inline ATTEND_DETAIL_ISA::pattern
