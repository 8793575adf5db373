// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Packs of types: the few questions the language asks about them. Plain packs and folds, because a step of shape
// algebra costs some twenty times less compile time this way than with a library's maps.
#pragma once
#include <type_traits>

namespace attend::detail {

template <class... T>
struct types {
  static constexpr int size = sizeof...(T);
};

template <class T, class List>
inline constexpr bool in = false;
template <class T, class... L>
inline constexpr bool in<T, types<L...>> = (std::is_same_v<T, L> || ...);

/// Position of T in a list, or -1.
template <class T, class... L>
consteval int index_in(types<L...>) {
  int at = -1, i = 0;
  ((std::is_same_v<T, L> && at < 0 ? void(at = i) : void(), ++i), ...);
  return at;
}

template <class... Lists>
struct concat {
  using type = types<>;
};
template <class... A>
struct concat<types<A...>> {
  using type = types<A...>;
};
template <class... A, class... B, class... Rest>
struct concat<types<A...>, types<B...>, Rest...> : concat<types<A..., B...>, Rest...> {};
template <class... Lists>
using concat_t = typename concat<Lists...>::type;

/// The elements of a list that are not in another.
template <class List, class Without>
struct minus;
template <class... A, class Without>
struct minus<types<A...>, Without> : concat<std::conditional_t<in<A, Without>, types<>, types<A>>...> {};
template <class List, class Without>
using minus_t = typename minus<List, Without>::type;

/// The elements of a list that are in another too.
template <class List, class With>
struct common;
template <class... A, class With>
struct common<types<A...>, With> : concat<std::conditional_t<in<A, With>, types<A>, types<>>...> {};
template <class List, class With>
using common_t = typename common<List, With>::type;

/// The list of D alone, empty where D is void.
template <class D>
using list_of = std::conditional_t<std::is_void_v<D>, types<>, types<D>>;

/// A's elements, then B's others.
template <class A, class B>
using unite_t = concat_t<A, minus_t<B, A>>;

template <class List, template <class...> class To>
struct apply_list;
template <class... A, template <class...> class To>
struct apply_list<types<A...>, To> {
  using type = To<A...>;
};
/// To<the elements of List>.
template <class List, template <class...> class To>
using apply_list_t = typename apply_list<List, To>::type;

template <class List, int I>
struct element_of;
template <class Head, class... Tail, int I>
struct element_of<types<Head, Tail...>, I> : element_of<types<Tail...>, I - 1> {};
template <class Head, class... Tail>
struct element_of<types<Head, Tail...>, 0> {
  using type = Head;
};
template <class List, int I>
using element_of_t = typename element_of<List, I>::type;

/// Whether every element of a list is there once.
template <class List>
inline constexpr bool distinct = true;
template <class Head, class... Tail>
inline constexpr bool distinct<types<Head, Tail...>> = !in<Head, types<Tail...>> && distinct<types<Tail...>>;

/// False for whatever arguments: a static_assert on it fires when its template is instantiated, not before.
template <class... T>
inline constexpr bool never = false;

} // namespace attend::detail
