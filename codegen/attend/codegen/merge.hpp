// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A merge of dims is a view: it moves outwards through every operation that leaves the merged dim free, until it is one
// of the result. Operands beside it are split alike. Only a merged dim that an operation binds - sums over, normalises
// over - is stored as one.
#pragma once
#include <attend/codegen/algebra.hpp>
#include <tuple>

namespace attend::codegen::inline ATTEND_DETAIL_ISA::detail {

template <class X>
struct is_merge : std::false_type {};
template <class X, class P, class C>
struct is_merge<merged<X, P, C>> : std::true_type {};
template <class X>
inline constexpr bool is_merged_tree = is_merge<X>::value;

/// The view that takes a merge back: C split into parts as long as X's.
template <class C, class X, class... P>
auto splitting(X const& x, types<P...>) {
  return split_view<C, axis<P, (extent_in<typename X::shape, P> >= 0 ? extent_in<typename X::shape, P> : dynamic)>...>{{size_of<P>(x)...}};
}

struct no_merge {};
/// A merge that can be done after an operation, what it is of, and the view that takes it back.
template <class Rest, class Parts, class C, class View>
struct free_merge {
  using parts = Parts;
  using dim = C;
  Rest rest;
  View view;
};

/// The outermost merge of a tree that an operation can leave to its result: its dim is not Bound by the operation, and
/// its parts are no dims of the operation or the Others' already.
template <class Bound, class Others>
struct merging {
  template <class X>
  static auto of(X const&) { return no_merge{}; }
  template <class X, class P, class C>
  static auto of(merged<X, P, C> const& e) {
    if constexpr (!in<C, Bound> && common_t<P, concat_t<Bound, Others>>::size == 0) {
      auto const view = splitting<C>(e.x, P{});
      return free_merge<X, P, C, std::remove_cv_t<decltype(view)>>{e.x, view};
    } else return below(e, of(e.x));
  }

private:
  template <class E>
  static auto below(E const&, no_merge) { return no_merge{}; }
  template <class X, class P, class C, class Rest, class Parts, class D, class View>
  static auto below(merged<X, P, C> const&, free_merge<Rest, Parts, D, View> const& m) {
    if constexpr (in<D, P>) return no_merge{};
    else return free_merge<merged<Rest, P, C>, Parts, D, View>{{{}, m.rest}, m.view};
  }
};

template <class X>
auto stored_if_merged(X const& x) {
  if constexpr (is_merged_tree<X>) return pushing::unmerged(x);
  else return x;
}

template <bool Store = true, class Bound, class F, class... X>
auto through_merges(Bound bound, F const& f, X const&... x);
/// Dims of the operands of an operation but for number J.
template <int J, class Places, class... X>
struct dims_beside;
template <int J, int... I, class... X>
struct dims_beside<J, std::integer_sequence<int, I...>, X...> : concat<types<>, std::conditional_t<I == J, types<>, typename X::shape::dims>...> {};
template <int J, class Bound, class... X>
using merging_operand = merging<Bound, typename dims_beside<J, std::make_integer_sequence<int, sizeof...(X)>, X...>::type>;
template <int J, class Bound, class... X>
inline constexpr bool has_free_merge = !std::is_same_v<decltype(merging_operand<J, Bound, X...>::of(std::declval<element_of_t<types<X...>, J> const&>())), no_merge>;

template <bool Store, int... I, class Bound, class F, class... X>
auto through_merge(std::integer_sequence<int, I...>, Bound bound, F const& f, X const&... x) {
  constexpr int at = [] {
    int first = -1;
    ((first < 0 && has_free_merge<I, Bound, X...> ? void(first = I) : void()), ...);
    return first;
  }();
  if constexpr (at < 0 && Store) return f(stored_if_merged(x)...);
  else if constexpr (at < 0) return f(x...);
  else {
    auto const m = merging_operand<at, Bound, X...>::of(std::get<static_cast<std::size_t>(at)>(std::tuple<X const&...>(x...)));
    using M = std::remove_cv_t<decltype(m)>;
    auto const operand = [&]<int J, class Y>(std::integral_constant<int, J>, Y const& y) {
      if constexpr (J == at) return m.rest;
      else return push(m.view, y);
    };
    auto const inside = through_merges<Store>(bound, f, operand(std::integral_constant<int, I>{}, x)...);
    return merged<std::remove_cv_t<decltype(inside)>, typename M::parts, typename M::dim>{{}, inside};
  }
}

/// f of operands that have no merge but those it binds, which are stored if Store says so; the others' are around the
/// result.
template <bool Store, class Bound, class F, class... X>
auto through_merges(Bound bound, F const& f, X const&... x) {
  if constexpr (!(is_merged_tree<X> || ...)) return f(x...);
  else return through_merge<Store>(std::make_integer_sequence<int, sizeof...(X)>{}, bound, f, x...);
}

/// A list with one element replaced by others.
template <class List, class At, class Parts>
struct replace_in;
template <class... L, class At, class Parts>
struct replace_in<types<L...>, At, Parts> : concat<types<>, std::conditional_t<std::is_same_v<L, At>, Parts, types<L>>...> {};

/// Products of operands that may be merged along what is summed: the sum over a merged dim is one over its parts, so that
/// a product behind another is seen as such.
template <class Law>
struct multiplying {
  template <class X, class Y, class D>
  static auto of(X const& x, Y const& y, D dims) {
    if constexpr (opens<X, Y, D>) return opened(x, y, dims);
    else if constexpr (opens<Y, X, D>) return opened(y, x, dims);
    else return Law::product(stored_if_merged(x), stored_if_merged(y), dims);
  }

private:
  template <class X>
  struct parts {
    static constexpr bool of_product = false;
  };
  template <class X, class P, class C>
  struct parts<merged<X, P, C>> {
    static constexpr bool of_product = products<X> > 0;
    using dim = C;
    using type = P;
  };
  template <class X, class Y, class D>
  static constexpr bool opens = [] {
    if constexpr (!parts<X>::of_product) return false;
    else return in<typename parts<X>::dim, D> && common_t<typename parts<X>::type, concat_t<D, typename Y::shape::dims>>::size == 0;
  }();
  template <class X, class P, class C, class Y, class D>
  static auto opened(merged<X, P, C> const& x, Y const& y, D) {
    return of(x.x, push(splitting<C>(x.x, P{}), y), typename replace_in<D, C, P>::type{});
  }
};

} // namespace attend::codegen::inline ATTEND_DETAIL_ISA::detail
