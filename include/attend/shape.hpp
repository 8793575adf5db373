// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Shapes: dims with their extents in storage order, the algebra on them, and which dim is the row, which the column.
#pragma once
#include <attend/dims.hpp>

namespace attend {

/// A dim with its extent: a number, `dynamic` or `unknown`.
template <class Dim, long N>
struct axis {
  using dim = Dim;
  static constexpr long extent = N;
};

/// Axes in order.
template <class... Axes>
struct shape : Axes... {
  using dims = detail::types<typename Axes::dim...>;
  static constexpr int rank = sizeof...(Axes);
};

/// Which dim is the row and which the column of a matrix product or the default of a reduction.
template <class Row, class Column>
struct orient {
  using row = Row;
  using column = Column;
};
using no_orientation = orient<void, void>;
/// The orientation of an operation whose operands disagree: the dim must be named.
struct conflict {};
using conflicting_orientation = orient<conflict, conflict>;

namespace detail {

/// An axis' extent as an argument: a constant where the axis has one, else n.
template <class A>
constexpr auto extent_from(long n) {
  if constexpr (A::extent >= 0) return extent<typename A::dim, A::extent>{};
  else return extent<typename A::dim, dynamic>{n};
}

template <class D, long N>
std::integral_constant<long, N> find_axis(axis<D, N> const*);
template <class D>
std::integral_constant<long, unknown> find_axis(void const*);
/// The extent of D in a shape; `unknown` where it lacks D.
template <class Shape, class D>
inline constexpr long extent_in = decltype(find_axis<D>(static_cast<Shape*>(nullptr)))::value;

/// What two statements about one extent give together: a number beats `dynamic`, which beats `unknown`.
constexpr long meet(long a, long b) { return a >= 0 ? a : b >= 0 ? b : a > b ? a : b; }
constexpr bool agree(long a, long b) { return a < 0 || b < 0 || a == b; }

template <class Dims, class... Shapes>
struct shape_with;
template <class... D, class S>
struct shape_with<types<D...>, S> {
  using type = shape<axis<D, extent_in<S, D>>...>;
};
template <class... D, class A, class B>
struct shape_with<types<D...>, A, B> {
  using type = shape<axis<D, meet(extent_in<A, D>, extent_in<B, D>)>...>;
};
/// The shape of the listed dims, each with what the given shapes know of its extent.
template <class Dims, class... Shapes>
using shape_with_t = typename shape_with<Dims, Shapes...>::type;

template <class A, class B>
using unite_shapes = shape_with_t<unite_t<typename A::dims, typename B::dims>, A, B>;
template <class A, class Dims>
using drop_dims = shape_with_t<minus_t<typename A::dims, Dims>, A>;

template <class List>
struct matrix_dims;
template <class... D>
struct matrix_dims<types<D...>> : concat<std::conditional_t<D::kind == role::matrix, types<D>, types<>>...> {};
/// Those dims of a list that are rows or columns.
template <class List>
using matrix_dims_t = typename matrix_dims<List>::type;

template <class List>
struct last_of {
  using type = void;
};
template <class... D>
  requires(sizeof...(D) > 0)
struct last_of<types<D...>> {
  using type = element_of_t<types<D...>, sizeof...(D) - 1>;
};
template <class List>
using last_t = typename last_of<List>::type;
/// The last matrix dim of a list, or where it has none its last dim, or void.
template <class List>
using last_matrix_dim = std::conditional_t<(matrix_dims_t<List>::size > 0), last_t<matrix_dims_t<List>>, last_t<List>>;

template <class List>
struct orientation_of_dims {
  using type = no_orientation;
};
template <class R, class C>
struct orientation_of_dims<types<R, C>> {
  using type = orient<R, C>;
};
/// Of exactly two matrix dims the first listed is the row, the second the column.
template <class Shape>
using natural_orientation = typename orientation_of_dims<matrix_dims_t<typename Shape::dims>>::type;

template <class A, class B, class... D>
consteval int clash_at(types<D...>) {
  int at = -1, i = 0;
  ((at < 0 && !agree(extent_in<A, D>, extent_in<B, D>) ? void(at = i) : void(), ++i), ...);
  return at;
}
template <class Dims, int At>
struct clash : element_of<Dims, At> {};
template <class Dims>
struct clash<Dims, -1> {
  using type = void;
};
/// The first dim whose static extents disagree between two shapes, or void.
template <class A, class B>
using clash_t = typename clash<typename A::dims, clash_at<A, B>(typename A::dims{})>::type;

template <class A, class B>
struct join_orientation {
  using type = conflicting_orientation;
};
template <class A>
struct join_orientation<A, A> {
  using type = A;
};
template <class A>
struct join_orientation<A, no_orientation> {
  using type = A;
};
template <class A>
struct join_orientation<no_orientation, A> {
  using type = A;
};
template <>
struct join_orientation<no_orientation, no_orientation> {
  using type = no_orientation;
};

template <class S, class F, class T>
struct rename_in_shape;
template <class... A, class F, class T>
struct rename_in_shape<shape<A...>, F, T> {
  using type = shape<axis<std::conditional_t<std::is_same_v<typename A::dim, F>, T, typename A::dim>, A::extent>...>;
};
template <class D, class F, class T>
using rename_dim = std::conditional_t<std::is_same_v<D, F>, T, D>;

template <class S, class C, class... New>
struct replace_axis;
template <class... A, class C, class... New>
struct replace_axis<shape<A...>, C, New...> {
  using type = apply_list_t<concat_t<std::conditional_t<std::is_same_v<typename A::dim, C>, types<New...>, types<A>>...>, shape>;
};

template <class Shape>
struct static_extents;
template <class... A>
struct static_extents<shape<A...>> : std::bool_constant<((A::extent >= 0) && ...)> {};

} // namespace detail
} // namespace attend
