// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How the tables of laws are written: an expression, then what its dims, extents, row, column or element type are.
#pragma once
#include <attend/language.hpp>

namespace attend::laws {

/// A tensor about which only the type is asked.
template <class T, class... E>
auto of(E... e) {
  return view(static_cast<T const*>(nullptr), e...);
}

template <class D>
struct axis_written {
  using type = axis<D, dynamic>;
};
template <class D, long N>
struct axis_written<extent<D, N>> {
  using type = axis<D, N>;
};
/// A dim that only an index brings: its extent is the context's.
template <class D>
struct free_dim {};
template <class D>
free_dim<D> free(D);
template <class D>
struct axis_written<free_dim<D>> {
  using type = axis<D, unknown>;
};
/// The shape written as its dims in order, those with a static extent as `d = 64_c`.
template <class... X>
auto written(X...) -> shape<typename axis_written<X>::type...>;
/// The row and the column by name.
template <class R, class C>
auto oriented_as(R, C) -> orient<R, C>;

} // namespace attend::laws

// The first argument is an expression; nothing is evaluated.
#define SHAPE(EXPRESSION, ...)                                                                                         \
  static_assert(std::is_same_v<std::remove_cvref_t<decltype(EXPRESSION)>::shape, decltype(attend::laws::written(__VA_ARGS__))>)
#define ORIENTED(EXPRESSION, ROW, COLUMN)                                                                              \
  static_assert(std::is_same_v<std::remove_cvref_t<decltype(EXPRESSION)>::orientation, decltype(attend::laws::oriented_as(ROW, COLUMN))>)
#define UNORIENTED(EXPRESSION)                                                                                         \
  static_assert(std::is_same_v<std::remove_cvref_t<decltype(EXPRESSION)>::orientation, attend::no_orientation>)
#define DISPUTED(EXPRESSION)                                                                                           \
  static_assert(std::is_same_v<std::remove_cvref_t<decltype(EXPRESSION)>::orientation, attend::conflicting_orientation>)
#define TYPE(EXPRESSION, ...)                                                                                          \
  static_assert(std::is_same_v<std::remove_cvref_t<decltype(EXPRESSION)>::value_type, __VA_ARGS__>)
#define SPACE(EXPRESSION, ...)                                                                                         \
  static_assert(std::is_same_v<std::remove_cvref_t<decltype(EXPRESSION)>::space, __VA_ARGS__>)
