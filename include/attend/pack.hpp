// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A tuple that is an aggregate: trivially copyable when its members are, so that it can be a kernel's argument.
#pragma once
#include <utility>

namespace attend::detail {

template <int I, class T>
struct slot {
  T value;
};
template <class I, class... T>
struct pack_of;
template <int... I, class... T>
struct pack_of<std::integer_sequence<int, I...>, T...> : slot<I, T>... {};
template <class... T>
using pack = pack_of<std::make_integer_sequence<int, sizeof...(T)>, T...>;

/// f of all values of a pack, in their order.
template <int... I, class... T, class F>
constexpr decltype(auto) with_values(pack_of<std::integer_sequence<int, I...>, T...> const& p, F&& f) {
  return f(static_cast<slot<I, T> const&>(p).value...);
}
template <int... I, class... T, class F>
constexpr decltype(auto) with_values(pack_of<std::integer_sequence<int, I...>, T...>& p, F&& f) {
  return f(static_cast<slot<I, T>&>(p).value...);
}

} // namespace attend::detail
